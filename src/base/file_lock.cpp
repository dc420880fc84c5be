#include "base/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/errors.h"

namespace quasar::base {
namespace {

int open_lock(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

/// Takes the lock of the whole file; 0, or -1 with errno.
int take(int fd, int command) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return fd < 0 ? 0 : ::fcntl(fd, command, &whole);
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path) : fd_(open_lock(path)) {
  take(fd_, F_OFD_SETLKW);
}

FileLock::FileLock(const std::filesystem::path& path, const std::string& busy) : fd_(open_lock(path)) {
  if (take(fd_, F_OFD_SETLK) == 0 || (errno != EAGAIN && errno != EACCES)) return;
  ::close(fd_);
  fail(ExitCode::kOutput, busy);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace quasar::base
