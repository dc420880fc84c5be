// Owns a lock that processes, also of other machines, take in turn.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace quasar::pipeline {

/// Held from construction to destruction. Where the file system has no locks, there is none.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (fd_ >= 0) ::fcntl(fd_, F_OFD_SETLKW, &whole);
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace quasar::pipeline
