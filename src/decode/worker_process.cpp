#include "decode/worker_process.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "decode/shared_area.h"

namespace quasar::decode {

std::string describe(const Death& death) {
  if (death.signal == 0) {
    return death.exit_status < 0 ? "an end of which nothing is known"
                                 : "exit status " + std::to_string(death.exit_status);
  }
  const char* name = ::sigabbrev_np(death.signal);
  const char* meaning = ::sigdescr_np(death.signal);
  if (name == nullptr || meaning == nullptr) return "signal " + std::to_string(death.signal);
  return std::string("signal SIG") + name + " (" + meaning + ")";
}

WorkerProcess::WorkerProcess(Spawner& spawner, const std::filesystem::path& program, int input, int output) {
  std::array<int, 2> ends{-1, -1};
  const int made = ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data());
  control_ = out_of_the_way(made == 0 ? ends[0] : -1, "socketpair");
  const base::Descriptor theirs = out_of_the_way(ends[1], "socketpair");
  process_ = spawner.start(program, theirs.number(), input, output);
  has_clock_ = ::clock_getcpuclockid(process_, &clock_) == 0;
}

WorkerProcess::~WorkerProcess() {
  end();
}

Death WorkerProcess::end() {
  if (process_ > 0) ::kill(process_, SIGKILL);
  return reap();
}

Death WorkerProcess::end_of_closed() {
  constexpr auto kTurn = std::chrono::milliseconds(1);
  // A core dump, or the report of a sanitizer, may take its time.
  constexpr int kTurns = 10'000;
  for (int turn = 0; process_ > 0 && turn < kTurns; ++turn) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) break;
    if (info.si_pid != 0) return reap();
    std::this_thread::sleep_for(kTurn);
  }
  return end();
}

Death WorkerProcess::reap() {
  Death death{0, -1};
  if (process_ <= 0) return death;
  int status = 0;
  pid_t waited = 0;
  do {
    waited = ::waitpid(process_, &status, 0);
  } while (waited < 0 && errno == EINTR);
  process_ = -1;
  has_clock_ = false;
  if (waited < 0) return death;
  if (WIFSIGNALED(status)) return {WTERMSIG(status), 0};
  return {0, WEXITSTATUS(status)};
}

double WorkerProcess::processor_seconds() const {
  timespec time{};
  if (!has_clock_ || ::clock_gettime(clock_, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

namespace {

/// A field of /proc/PID/statm, in bytes; 0 when the process is gone.
std::uint64_t statm(pid_t process, int place) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t pages = 0;
  for (int i = 0; i <= place; ++i) {
    if (!(file >> pages)) return 0;
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t WorkerProcess::data_bytes() const {
  return statm(process_, 5);
}

std::uint64_t WorkerProcess::resident_bytes() const {
  return statm(process_, 1);
}

void WorkerProcess::limit_data(std::uint64_t bytes) const {
  rlimit limit{};
  if (::prlimit(process_, RLIMIT_DATA, nullptr, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(bytes, limit.rlim_max);
  ::prlimit(process_, RLIMIT_DATA, &limit, nullptr);
}

}  // namespace quasar::decode
