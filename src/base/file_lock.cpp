#include "base/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"
#include "base/logging.h"

namespace quasar::base {
namespace {

[[noreturn]] void fail_lock(const char* what, const std::filesystem::path& path, int error) {
  fail(ExitCode::kOutput, "cannot " + std::string(what) + " the lock " + path.string() + ": " +
                              describe_errno(error) + access_note(path, error));
}

std::filesystem::path record_path(const std::filesystem::path& lock) {
  return lock.string() + ".owner";
}

/// Whether a failed attempt says that the file system has no locks, or none now (an NFS without its lock
/// daemon).
bool has_no_locks(int error) {
  return error == ENOLCK || error == ENOSYS || error == ENOTSUP || error == EOPNOTSUPP || error == EINVAL;
}

}  // namespace

/// The file that is locked.
class FileLock::LockedFile {
 public:
  // For the whole group, where the umask and the folder's group say so.
  explicit LockedFile(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (!file_.is_open()) fail_lock("open", path, errno);
  }

  /// Locks the whole file with the command; false when another has locked it.
  bool lock(const std::filesystem::path& path, int command) const {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    int result = 0;
    do {
      result = ::fcntl(file_.number(), command, &whole);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    if (!has_no_locks(errno)) fail_lock("take", path, errno);
    log_info("the file system of {} has no locks ({}); {} keeps other jobs out", path.string(),
             describe_errno(errno), record_path(path).string());
    return true;
  }

 private:
  Descriptor file_;
};

FileLock::FileLock(const std::filesystem::path& path, const LockTimes& times)
    : path_(path), file_(std::make_unique<LockedFile>(path)), record_(record_path(path), times) {
  constexpr std::chrono::milliseconds kLongestPause{1'000};
  file_->lock(path, F_OFD_SETLKW);
  for (std::chrono::milliseconds pause{10}; record_.claim(); pause = std::min(2 * pause, kLongestPause))
    std::this_thread::sleep_for(pause);
}

FileLock::FileLock(const std::filesystem::path& path, const std::string& busy, const LockTimes& times)
    : path_(path), file_(std::make_unique<LockedFile>(path)), record_(record_path(path), times) {
  if (!file_->lock(path, F_OFD_SETLK)) {
    const auto holder = read_lock_record(record_path(path));
    fail(ExitCode::kOutput, busy + (holder ? " (it is held by " + holder->description + ")" : ""));
  }
  if (const auto holder = record_.claim())
    fail(ExitCode::kOutput,
         busy + " (it is held by " + holder->description + ", as " + record_path(path).string() + " says)");
}

FileLock::~FileLock() = default;

void FileLock::confirm() const {
  if (const auto holder = record_.taken_by()) {
    fail(ExitCode::kOutput, "the lock " + path_.string() +
                                " was taken from this job, which fell silent for too long, by " +
                                holder->description + "; start it again when that one has ended");
  }
}

}  // namespace quasar::base
