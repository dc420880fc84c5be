// Owns the guess at what a mistyped name was meant to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::base {

/// The candidate with the smallest edit distance to `word`, if it is near enough to be a typo of it.
std::optional<std::string> nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace quasar::base
