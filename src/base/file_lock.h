// Owns a lock that processes, also of other machines, take in turn.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::base {

/// Held from construction to destruction, and no longer than its process lives. Where the file system has no
/// locks, there is none.
class FileLock {
 public:
  /// Waits for its turn.
  explicit FileLock(const std::filesystem::path& path);
  /// Throws Error(kOutput) with the message `busy` when another holds it.
  FileLock(const std::filesystem::path& path, const std::string& busy);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace quasar::base
