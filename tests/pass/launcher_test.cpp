#include "pass/launcher.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>

namespace {

using namespace std::chrono_literals;
using quasar::pass::end_launcher_after;
using quasar::pass::launcher_above;

constexpr int kStatus = 10;

/// Runs `launcher` in a process that has the name of one; returns how it ended, as waitpid() says it.
int run_launcher(const char* name, const std::function<int()>& launcher) {
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_NAME, name);
    // It must not outlive a test that fails.
    ::alarm(20);
    ::_exit(launcher());
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  return status;
}

/// Runs `rank` in a child of this process and waits for it.
int run_rank(const std::function<int()>& rank) {
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_NAME, "rank");
    ::_exit(rank());
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int end_launcher_now() {
  end_launcher_after(0s);
  return 0;
}

/// A connection from 127.0.0.1 to 127.0.0.2, two addresses as of two hosts. Only `far` is not this process's.
struct Connection {
  Connection() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::inet_addr("127.0.0.2");
    socklen_t size = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    ::bind(listener, raw, size);
    ::listen(listener, 1);
    ::getsockname(listener, raw, &size);
    near = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = ::inet_addr("127.0.0.1");
    ::bind(near, reinterpret_cast<sockaddr*>(&from), sizeof(from));
    connected = ::connect(near, raw, size) == 0;
    far = ::accept(listener, nullptr, nullptr);
    ::close(listener);
  }
  int near = -1;
  int far = -1;
  bool connected = false;
};

/// Whether a process may trace others of its user that are not its children.
bool may_trace() {
  std::ifstream file("/proc/sys/kernel/yama/ptrace_scope");
  int scope = 0;
  file >> scope;
  return scope == 0 || (scope < 3 && ::geteuid() == 0);
}

TEST(Launcher, IsFoundAboveARankAndWhatStartsIt) {
  EXPECT_EQ(run_launcher("orted",
                         [] {
                           const pid_t self = ::getpid();
                           return run_rank([self] {
                             return run_rank([self] { return launcher_above() == self ? 3 : 4; });
                           });
                         }),
            3 << 8);
  EXPECT_EQ(run_launcher("mpirun.openmpi",
                         [] {
                           const pid_t self = ::getpid();
                           return run_rank([self] { return launcher_above() == self ? 3 : 4; });
                         }),
            3 << 8);
}

TEST(Launcher, NoticesThatItsConnectionsAreClosedAndEndsWithItsOwnStatus) {
  if (!may_trace()) GTEST_SKIP() << "this user may not trace processes (kernel.yama.ptrace_scope)";
  const int status = run_launcher("mpirun", [] {
    const Connection connection;
    if (!connection.connected || run_rank(end_launcher_now) != 0) return 2;
    char byte = 0;
    return ::read(connection.near, &byte, 1) == 0 ? kStatus : 3;
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), kStatus);
}

TEST(Launcher, ThatStaysIsKilled) {
  const auto start = std::chrono::steady_clock::now();
  const int status = run_launcher("mpirun", [] {
    ::signal(SIGTERM, SIG_IGN);
    if (run_rank(end_launcher_now) != 0) return 2;
    ::pause();
    return 3;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
}

TEST(Launcher, ThatEndsByItselfIsLeftAlone) {
  const int status = run_launcher("mpirun", [] {
    run_rank([] {
      end_launcher_after(2s);
      return 0;
    });
    ::usleep(200000);
    return kStatus;
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), kStatus);
}

TEST(Launcher, HelperHoldsNoPipe) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const auto start = std::chrono::steady_clock::now();
  run_launcher("mpirun", [] {
    return run_rank([] {
      end_launcher_after(5s);
      return 0;
    });
  });
  ::close(pipe[1]);
  char byte = 0;
  EXPECT_EQ(::read(pipe[0], &byte, 1), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
  ::close(pipe[0]);
}

TEST(Launcher, AnythingElseIsNone) {
  const int status = run_launcher("slurmstepd", [] {
    run_rank(end_launcher_now);
    ::usleep(300000);
    return kStatus;
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), kStatus);
}

}  // namespace
