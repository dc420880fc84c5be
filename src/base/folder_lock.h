// Owns the exclusion of two jobs that would write the same files.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::base {

/// Holds a folder as long as it lives, and as the process does. Where the file system knows no locks, nothing
/// is held and nobody kept away.
class FolderLock {
 public:
  /// `what`: what is done there, for the message ("being ranked"). Throws Error(kOutput) when another process
  /// holds the folder.
  FolderLock(const std::filesystem::path& folder, const std::string& what);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

}  // namespace quasar::base
