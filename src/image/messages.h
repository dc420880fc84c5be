// Internal to the module: owns what libvips, and the libraries below it, say while they work.
//
// Some say why they fail in libvips's buffer of errors, some in a warning alone. Both are the whole
// process's.
#pragma once

#include <string>
#include <string_view>

namespace quasar::image {

/// Keeps a warning for take_reason().
void note_warning(std::string_view text);

/// Forgets all that was said so far.
void forget_messages();

/// What was said since then, each line once, the failure itself last; forgets it. Warnings are a part where
/// the errors name no cause. Empty where nothing was said at all.
std::string take_reason();

}  // namespace quasar::image
