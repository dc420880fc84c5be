#include "base/trial.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/errors.h"

namespace quasar::base {
namespace {

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

}  // namespace

bool survives(const std::function<void()>& work, unsigned seconds) {
  const pid_t child = ::fork();
  if (child < 0)
    fail(ExitCode::kInternal, "cannot start a process to try a file in: " + describe_errno(errno));
  if (child == 0) {
    crash_silently();
    ::alarm(seconds);
    try {
      work();
    } catch (...) {  // NOLINT(bugprone-empty-catch): an exception is no crash.
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace quasar::base
