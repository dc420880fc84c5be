#include "base/trial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <string_view>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/progress.h"

namespace quasar::base {
namespace {

/// What the copy sends first when work has thrown: an exit code, or this.
constexpr char kNoMemory = '\x7f';

/// A crash here is an answer: it says nothing, leaves no core and does not go through the job's handlers.
void crash_silently() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) ::signal(number, SIG_DFL);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}) ::signal(number, SIG_IGN);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
}

void limit_memory(std::uint64_t more) {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  if (pages == 0 || ::getrlimit(RLIMIT_AS, &limit) != 0) return;
  const auto bytes = static_cast<rlim_t>(pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + more);
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= bytes) return;
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_AS, &limit);
}

void send(int pipe, char kind, std::string_view message) {
  // A message that is lost leaves the exit status.
  if (::write(pipe, &kind, 1) == 1 && ::write(pipe, message.data(), message.size()) < 0) return;
}

/// What is said of work that has thrown; all but the system's memory is there again.
void run_and_tell(const std::function<void()>& work, int pipe) {
  try {
    work();
    ::_exit(0);
  } catch (const Error& error) {
    send(pipe, static_cast<char>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    send(pipe, kNoMemory, "");
  } catch (const std::exception& error) {
    send(pipe, static_cast<char>(ExitCode::kInternal), error.what());
  } catch (...) {
    send(pipe, static_cast<char>(ExitCode::kInternal), "an exception without a message");
  }
  ::_exit(1);
}

std::string read_all(int pipe) {
  std::string text;
  std::array<char, 4096> part{};
  while (true) {
    const auto count = ::read(pipe, part.data(), part.size());
    if (count > 0) text.append(part.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

std::optional<std::string> lost_in_trial(const std::function<void()>& work, const TrialLimits& limits) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    fail(ExitCode::kInternal, "cannot start a process to try a file in: " + describe_errno(errno));
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0)
    fail(ExitCode::kInternal, "cannot start a process to try a file in: " + describe_errno(errno));
  if (child == 0) {
    crash_silently();
    ::alarm(limits.seconds);
    if (limits.memory > 0) limit_memory(limits.memory);
    run_and_tell(work, to.number());
  }
  to.close();
  const auto said = read_all(from.number());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const auto too_much = "takes more than " + human_bytes(limits.memory) + " of memory";
  if (!said.empty() && said.front() == kNoMemory)
    return limits.memory > 0 ? too_much : "takes too much memory";
  if (!said.empty()) fail(static_cast<ExitCode>(said.front()), said.substr(1));
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return fmt::format("does not end within {} s", limits.seconds);
  return limits.memory > 0 ? "crashes, or " + too_much : "crashes";
}

}  // namespace quasar::base
