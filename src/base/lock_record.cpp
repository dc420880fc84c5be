#include "base/lock_record.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <map>
#include <sstream>
#include <utility>

#include "base/atomic_file.h"
#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"
#include "base/logging.h"

namespace quasar::base {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::milliseconds kSettle{300};

[[noreturn]] void fail_record(const char* what, const std::filesystem::path& path, int error) {
  fail(ExitCode::kOutput, fmt::format("cannot {} the lock {}: {}{}", what, path.string(),
                                      describe_errno(error), access_note(path, error)));
}

/// The first lines of this process's records. A number of its own for each lock tells two of one process
/// apart.
std::string head_of(const LockTimes& times) {
  static std::atomic<unsigned> counter{0};
  const auto process = own_process();
  const char* const job = std::getenv("SLURM_JOB_ID");
  return fmt::format(
      "user={}\nhost={}\nmachine={}\nprocess={}\nstarted={}\njob={}\nsince={:%Y-%m-%d %H:%M:%S} UTC\n"
      "lock={}\nbeat_ms={}\n",
      user_name(::geteuid()), host_name(), process.machine, process.pid, process.started,
      job == nullptr ? "" : job, fmt::gmtime(std::time(nullptr)), counter++, times.beat.count());
}

LockHolder parse(std::string text) {
  LockHolder holder;
  std::map<std::string, std::string> values;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto sign = line.find('=');
    if (sign != std::string::npos) values[line.substr(0, sign)] = line.substr(sign + 1);
  }
  const auto number = [&](const char* key) { return std::strtoull(values[key].c_str(), nullptr, 10); };
  holder.text = std::move(text);
  if (!values.contains("beats")) {
    holder.description = "somebody who has just begun to write his name into it, or died over that";
    return holder;
  }
  holder.process = {values["machine"], static_cast<pid_t>(number("process")), number("started")};
  holder.beat = std::chrono::milliseconds(number("beat_ms"));
  holder.description =
      fmt::format("{} on {}, process {}{}, since {}", values["user"], values["host"], values["process"],
                  values["job"].empty() ? "" : ", Slurm job " + values["job"], values["since"]);
  return holder;
}

/// Writes all of `text` to the beginning of `file` and closes it. errno of a failure, or 0.
int write_and_close(Descriptor& file, const std::string& text) {
  const ssize_t written = ::pwrite(file.number(), text.data(), text.size(), 0);
  int error = written < 0 ? errno : 0;
  if (written >= 0 && static_cast<std::size_t>(written) != text.size()) error = ENOSPC;
  // What a network file system could not write is said here.
  const int closing = file.close();
  return error != 0 ? error : closing;
}

}  // namespace

std::optional<LockHolder> read_lock_record(const std::filesystem::path& path) {
  // Opened anew each time, whereupon NFS asks the server.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() && (errno == ENOENT || errno == ESTALE)) return std::nullopt;
  if (!file.is_open()) fail_record("read", path, errno);
  std::array<char, 4096> text{};
  const ssize_t size = ::read(file.number(), text.data(), text.size());
  if (size < 0 && errno == ESTALE) return std::nullopt;
  if (size < 0) fail_record("read", path, errno);
  return parse(std::string(text.data(), static_cast<std::size_t>(size)));
}

LockRecord::LockRecord(std::filesystem::path path, const LockTimes& times)
    : path_(std::move(path)), times_(times) {}

LockRecord::~LockRecord() {
  if (!held_) return;
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (beating_.joinable()) beating_.join();
  try {
    if (!taken_by()) ::unlink(path_.c_str());
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the next one finds the record of a dead process.
  }
}

std::string LockRecord::content(long beats) const {
  // Always of one length: a size that a host remembers stays right.
  return fmt::format("{}beats={:012}\n", head_, beats);
}

bool LockRecord::create() {
  Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open() && errno == EEXIST) return false;
  if (!file.is_open()) fail_record("create", path_, errno);
  head_ = head_of(times_);
  const int error = write_and_close(file, content(0));
  if (error != 0) {
    ::unlink(path_.c_str());
    fail_record("write", path_, error);
  }
  return true;
}

std::optional<LockHolder> LockRecord::claim() {
  bool replaced = false;
  while (!create()) {
    const auto other = read_lock_record(path_);
    if (!other) continue;
    if (is_alive(*other)) return other;
    remove_stale(*other);
    replaced = true;
  }
  if (replaced) {
    // Others who judged the same record may have moved this one aside for a moment, in which a third made
    // his.
    std::this_thread::sleep_for(kSettle);
    if (auto other = taken_by()) return other;
  }
  held_ = true;
  // Signals are for the program's other threads.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  beating_ = std::thread([this] { keep_beating(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return std::nullopt;
}

bool LockRecord::is_alive(const LockHolder& holder) {
  const auto life = look_at(holder.process);
  if (life != ProcessLife::kUnknown) return life == ProcessLife::kAlive;
  const auto watch = std::max(times_.watch, 6 * holder.beat);
  if (!std::exchange(told_, true)) {
    log_info("{} names {}: looking for up to {} s whether that job is still at work", path_.string(),
             holder.description, std::chrono::ceil<std::chrono::seconds>(watch).count());
  }
  const auto end = std::chrono::steady_clock::now() + watch;
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kLook);
    const auto now = read_lock_record(path_);
    if (!now) return false;
    if (now->text != holder.text) return true;
  }
  return false;
}

void LockRecord::remove_stale(const LockHolder& judged) const {
  // Another may have judged it before, and have put its own record there since: what is moved aside is looked
  // at once more.
  const auto now = read_lock_record(path_);
  if (!now || now->text != judged.text) return;
  const auto aside = temporary_name(path_);
  if (::rename(path_.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail_record("take over", path_, errno);
  }
  const auto moved = read_lock_record(aside);
  if (moved && moved->text != judged.text && ::link(aside.c_str(), path_.c_str()) != 0 && errno != EEXIST) {
    ::rename(aside.c_str(), path_.c_str());
    return;
  }
  ::unlink(aside.c_str());
}

std::optional<LockHolder> LockRecord::taken_by() const {
  const auto now = read_lock_record(path_);
  if (!now) return LockHolder{"", "somebody who has removed " + path_.string(), {}, {}};
  if (now->text.starts_with(head_)) return std::nullopt;
  return now;
}

void LockRecord::keep_beating() {
  std::unique_lock lock(mutex_);
  for (long beats = 1; !wake_.wait_for(lock, times_.beat, [&] { return ending_; }); ++beats) {
    lock.unlock();
    try {
      // Never a record that is another's by now; who relies on the lock asks taken_by().
      if (!taken_by()) {
        Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
        if (file.is_open()) write_and_close(file, content(beats));
      }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the next beat may do better.
    }
    lock.lock();
  }
}

}  // namespace quasar::base
