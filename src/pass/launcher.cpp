#include "pass/launcher.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace quasar::pass {
namespace {

using std::chrono::milliseconds;

constexpr std::array<const char*, 7> kLaunchers{"mpirun", "mpiexec", "orterun", "prterun",
                                                "prte",   "orted",   "prted"};
/// Where the helper keeps the launcher's pidfd.
constexpr int kLauncher = 0;
/// Launchers hold a few descriptors per host.
constexpr int kMostDescriptors = 65536;

std::string name_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/comm");
  std::string name;
  std::getline(file, name);
  // Debian has mpirun.openmpi.
  return name.substr(0, name.find('.'));
}

pid_t parent_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("PPid:")) return static_cast<pid_t>(std::stol(line.substr(5)));
  }
  return 0;
}

// From here on: what runs in the helper. It was split off a process of many threads without their knowledge,
// so that whatever needs a lock, memory of the heap included, may never come.

bool ends_within(milliseconds limit) {
  pollfd launcher{.fd = kLauncher, .events = POLLIN, .revents = 0};
  return ::poll(&launcher, 1, static_cast<int>(limit.count())) > 0;
}

bool same_address(const sockaddr_storage& left, const sockaddr_storage& right) {
  if (left.ss_family != right.ss_family) return false;
  if (left.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(left).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(right).sin_addr.s_addr;
  }
  return std::memcmp(&reinterpret_cast<const sockaddr_in6&>(left).sin6_addr,
                     &reinterpret_cast<const sockaddr_in6&>(right).sin6_addr, sizeof(in6_addr)) == 0;
}

/// Whether `socket` is a TCP connection whose other end is not this host.
bool leads_elsewhere(int socket) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t size = sizeof(here);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&here), &size) != 0) return false;
  size = sizeof(there);
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&there), &size) != 0) return false;
  if (there.ss_family != AF_INET && there.ss_family != AF_INET6) return false;
  int protocol = 0;
  size = sizeof(protocol);
  if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != IPPROTO_TCP)
    return false;
  return !same_address(here, there);
}

/// Whether the other end has acknowledged nothing for several attempts.
bool is_dead(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_backoff > 1;
}

/// Closes the launcher's connections to other hosts, all or the dead ones. Returns how many.
int close_connections(bool all) {
  int closed = 0;
  for (int number = 0; number < kMostDescriptors; ++number) {
    const auto socket = static_cast<int>(::syscall(SYS_pidfd_getfd, kLauncher, number, 0));
    if (socket < 0) {
      if (errno == EBADF) continue;
      // Not permitted, or the launcher has just ended.
      break;
    }
    if (leads_elsewhere(socket) && (all || is_dead(socket)) && ::shutdown(socket, SHUT_RDWR) == 0) ++closed;
    ::close(socket);
  }
  return closed;
}

void signal_launcher(int signal) {
  ::syscall(SYS_pidfd_send_signal, kLauncher, signal, nullptr, 0);
}

void end_launcher(milliseconds grace) {
  constexpr milliseconds kTurn{1000};
  if (ends_within(grace)) return;
  if (close_connections(false) > 0 && ends_within(kTurn)) return;
  if (close_connections(true) > 0 && ends_within(kTurn)) return;
  // It takes the second one as an order.
  signal_launcher(SIGTERM);
  if (ends_within(kTurn)) return;
  signal_launcher(SIGTERM);
  if (ends_within(kTurn)) return;
  signal_launcher(SIGKILL);
}

/// fork() without what libraries have asked to be called then: they may wait for a thread that hangs.
pid_t split() {
  return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

[[noreturn]] void helper(int launcher, milliseconds grace) {
  // Launchers end what is in their ranks' sessions, and wait until nobody holds the ends of their pipes any
  // more.
  ::setsid();
  if (split() != 0) ::_exit(0);
  if (launcher != kLauncher) ::dup2(launcher, kLauncher);
  if (::syscall(SYS_close_range, kLauncher + 1, ~0U, 0) != 0) {
    for (int number = kLauncher + 1; number < kMostDescriptors; ++number) ::close(number);
  }
  end_launcher(grace);
  ::_exit(0);
}

}  // namespace

std::optional<pid_t> launcher_above() {
  for (pid_t process = ::getppid(); process > 1; process = parent_of(process)) {
    if (std::find(kLaunchers.begin(), kLaunchers.end(), name_of(process)) != kLaunchers.end()) return process;
  }
  return std::nullopt;
}

void end_launcher_after(std::chrono::seconds grace) {
  const auto process = launcher_above();
  if (!process) return;
  const auto launcher = static_cast<int>(::syscall(SYS_pidfd_open, *process, 0));
  if (launcher < 0) return;
  // Its number might have passed to another process meanwhile.
  if (launcher_above() == process) {
    // The helper must not run this process's handlers.
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t child = split();
    if (child == 0) helper(launcher, grace);
    if (child > 0) ::waitpid(child, nullptr, 0);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ::close(launcher);
}

}  // namespace quasar::pass
