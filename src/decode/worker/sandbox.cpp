#include "sandbox.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <type_traits>

#include "base/sanitized.h"
#include "decode/protocol.h"

namespace quasar::decode {
namespace {

/// Allowed whatever their arguments: memory, threads, time, reading.
constexpr int kAllowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(recvfrom),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(membarrier),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_get_priority_max),
    SCMP_SYS(sched_get_priority_min),
    SCMP_SYS(getcpu),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/// Collects rules; once one fails, the filter is not used.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), ::seccomp_release) {}

  template <typename... Conditions>
  void rule(std::uint32_t action, int call, Conditions... conditions) {
    // A call that this architecture does not have needs no rule.
    if (call < 0 || !context_) return;
    ok_ = ::seccomp_rule_add(context_.get(), action, call, sizeof...(conditions), conditions...) == 0 && ok_;
  }
  template <typename... Conditions>
  void allow(int call, Conditions... conditions) {
    rule(SCMP_ACT_ALLOW, call, conditions...);
  }
  bool install() {
    // As a tree, where this library can: futexes are called by the thousand.
    if (context_) ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return context_ && ok_ && ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
           ::seccomp_load(context_.get()) == 0;
  }

 private:
  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, void (*)(scmp_filter_ctx)> context_;
  bool ok_ = true;
};

scmp_arg_cmp argument(unsigned place, scmp_compare compare, scmp_datum_t a, scmp_datum_t b = 0) {
  return {place, compare, a, b};
}

void write_text(const char* path, const char* text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  const auto written = ::write(file, text, ::strlen(text));
  static_cast<void>(written);
  ::close(file);
}

}  // namespace

void end_with_parent(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have ended before.
  if (::getppid() != parent) std::_Exit(kExitBadStart);
}

void settle_in() {
  constexpr int kOfTheJob[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP};
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int number : kOfTheJob) {
    ::signal(number, SIG_IGN);
    ::sigaddset(&blocked, number);
  }
  ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  // As root too: what is left to do without a limit is to be killed first.
  write_text("/proc/self/oom_score_adj", "1000");
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::close_range(kOutputDescriptor + 1, ~0U, 0);
}

bool confine() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  Filter filter;
  for (const int call : kAllowed) filter.allow(call);
  // Files are opened to read alone.
  constexpr scmp_datum_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
  filter.allow(SCMP_SYS(openat), argument(2, SCMP_CMP_MASKED_EQ, kWriting, O_RDONLY));
  filter.allow(SCMP_SYS(open), argument(1, SCMP_CMP_MASKED_EQ, kWriting, O_RDONLY));
  // Words to the pool, and what a sanitizer says.
  for (const int call : {SCMP_SYS(write), SCMP_SYS(writev)})
    filter.allow(call, argument(0, SCMP_CMP_EQ, STDERR_FILENO));
#if defined(QUASAR_SANITIZED)
  // They find out whether an address is readable by writing it into a pipe.
  for (const int call : {SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(write)}) filter.allow(call);
#endif
  filter.allow(SCMP_SYS(sendto), argument(0, SCMP_CMP_EQ, kControlDescriptor));
  for (const int command : {F_GETFD, F_SETFD, F_GETFL})
    filter.allow(SCMP_SYS(fcntl), argument(1, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
  // Threads, no processes. The flags of clone3 lie in memory, where no filter sees them; without it the C
  // library takes clone.
  filter.rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  filter.allow(SCMP_SYS(clone), argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  // Signals to itself, as abort() sends.
  filter.allow(SCMP_SYS(tgkill), argument(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
  // Limits are read; the pool sets them.
  filter.allow(SCMP_SYS(prlimit64), argument(0, SCMP_CMP_EQ, 0), argument(2, SCMP_CMP_EQ, 0));
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE})
    filter.allow(SCMP_SYS(prctl), argument(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(option)));
  return filter.install();
}

int check_confinement() {
  int refused_not = 0;
  const auto refused = [&](const char* what, long result) {
    if (result < 0) return;
    ++refused_not;
    std::fprintf(stderr, "quasar-decode: not refused: %s\n", what);
  };
  const pid_t parent = ::getppid();
  refused("a TCP socket", ::socket(AF_INET, SOCK_STREAM, 0));
  refused("a local socket", ::socket(AF_UNIX, SOCK_STREAM, 0));
  refused("creating a file", ::open("quasar-decode-was-here", O_WRONLY | O_CREAT, 0600));
  refused("opening a file to write", ::open("/dev/null", O_WRONLY));
  refused("opening a file to read and write", ::openat(AT_FDCWD, "/dev/null", O_RDWR));
  refused("a file without a name", ::open("/tmp", O_TMPFILE | O_RDWR, 0600));
  refused("making a folder", ::mkdir("quasar-decode-was-here", 0700));
  refused("removing a file", ::unlink("quasar-decode-was-here"));
  refused("signalling its parent", ::kill(parent, 0));
  refused("tracing its parent", ::ptrace(PTRACE_SEIZE, parent, nullptr, nullptr));
  char word = 0;
  iovec local{&word, 1};
  iovec remote{&word, 1};
  refused("reading its parent's memory", ::process_vm_readv(parent, &local, 1, &remote, 1, 0));
  const rlimit core{0, RLIM_INFINITY};
  refused("changing its own limits", ::setrlimit(RLIMIT_CORE, &core));
  refused("resizing shared memory", ::ftruncate(kOutputDescriptor, 0));
  refused("starting a process", ::fork());
  char name[] = "/bin/true";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  refused("running a program", ::execve(name, arguments, environment));
  const int reading = ::open("/proc/self/status", O_RDONLY);
  bool ran = false;
  std::thread([&ran] { ran = true; }).join();
  if (reading < 0 || !ran) {
    std::fprintf(stderr, "quasar-decode: refused, and should not be: %s\n", ran ? "reading" : "threads");
    ++refused_not;
  }
  return refused_not == 0 ? 0 : 1;
}

}  // namespace quasar::decode
