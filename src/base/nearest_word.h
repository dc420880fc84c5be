// Owns the guess at what a mistyped name was meant to be, and how messages put it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::base {

/// The candidate with the smallest edit distance to `word`, if it is near enough to be a typo of it.
std::optional<std::string> nearest_word(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean \"NAME\"?" for the end of a message that says that there is no `word`, or `otherwise`
/// where none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates,
                         std::string_view otherwise = "");

}  // namespace quasar::base
