// Owns trying out, in a process that may be lost, what might crash, never end, or take all memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace quasar::base {

/// Bounds of a trial; 0: none.
struct TrialLimits {
  unsigned seconds = 0;
  std::uint64_t memory = 0;  ///< Bytes of address space beyond what the process has already.
};

/// Runs `work` in a copy of this process and drops all that it did. Nothing when it came to its end; or else
/// what it does, for an error message: "crashes", "does not end within 60 s", "takes more than 512.0 MiB of
/// memory". An Error that `work` throws is thrown here, another exception as Error(kInternal). Under a limit
/// of memory a library that is refused some may say anything else, or crash: nothing is done again here that
/// has failed there. Of the threads, only the calling one goes on in the copy, so that `work` must not need
/// others or their locks. Throws Error(kInternal) when no process can be started.
std::optional<std::string> lost_in_trial(const std::function<void()>& work, const TrialLimits& limits);

}  // namespace quasar::base
