// Owns trying out, in a process that may be lost, what might crash.
#pragma once

#include <functional>

namespace quasar::base {

/// Runs `work` in a copy of this process and drops all that it did, exceptions included. False when a signal
/// ended it: a crash, or no end within `seconds` (0: no limit). Of the threads, only the calling one goes on
/// in the copy, so that `work` must not need others or their locks. Throws Error(kInternal) when no process
/// can be started.
bool survives(const std::function<void()>& work, unsigned seconds);

}  // namespace quasar::base
