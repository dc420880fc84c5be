// Owns the wait for what another process has written: a host may not see a file for a while after it was made
// (NFS remembers for up to a minute what a folder held, and that a name was not there).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>

namespace quasar::base {

/// Beyond all times for which file systems remember attributes unless told otherwise.
inline constexpr std::chrono::milliseconds kVisibilityLimit{90'000};

struct AwaitOptions {
  /// Zero: one more look at once, for a file that need not be there.
  std::chrono::milliseconds limit = kVisibilityLimit;
  /// Asked between looks; may throw to end the wait.
  std::function<void()> between = {};
};

/// Has this host look at the folder of `path`, and at the one above it, anew: their listings are opened,
/// which network file systems take as the moment to ask the server.
void look_anew(const std::filesystem::path& path);

/// Whether there is something at `path`, looked for twice: as this host remembers it, then anew.
bool is_there_anew(const std::filesystem::path& path);

/// Waits until `path` can be opened. Only for a file that is known to be written by now: throws Error(kInput)
/// with the cause and the cure when it is not seen within the limit. A file that is there and cannot be
/// opened is left to the reader, who says why. A wait of more than a second is logged once. Thread-safe.
void await_file(const std::filesystem::path& path, const AwaitOptions& options = {});

/// Waits until `ready` holds for `path`, which another process has written anew: an older file may be seen
/// for a while. As above.
void await_file(const std::filesystem::path& path, const std::function<bool()>& ready,
                const AwaitOptions& options = {});

}  // namespace quasar::base
