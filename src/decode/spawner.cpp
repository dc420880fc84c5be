#include "decode/spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/errors.h"
#include "decode/protocol.h"

extern char** environ;

namespace quasar::decode {
namespace {

/// Attributes and actions of posix_spawn, which have to be destroyed.
struct Actions {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

  Actions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

pid_t spawn(const std::filesystem::path& program, int control, int input, int output) {
  Actions actions;
  ::posix_spawn_file_actions_addopen(&actions.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions.files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions.files, control, kControlDescriptor);
  ::posix_spawn_file_actions_adddup2(&actions.files, input, kInputDescriptor);
  ::posix_spawn_file_actions_adddup2(&actions.files, output, kOutputDescriptor);
  sigset_t all;
  ::sigfillset(&all);
  ::posix_spawnattr_setsigdefault(&actions.attributes, &all);
  // A signal to the whole job may come before the worker has said that it ignores it.
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP}) ::sigaddset(&blocked, number);
  ::posix_spawnattr_setsigmask(&actions.attributes, &blocked);
  ::posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::string name = program.string();
  std::string parent = std::to_string(::getpid());
  const std::array<char*, 3> arguments = {name.data(), parent.data(), nullptr};
  pid_t process = -1;
  const int error = ::posix_spawn(&process, program.c_str(), &actions.files, &actions.attributes,
                                  arguments.data(), environ);
  if (error != 0) {
    base::fail(base::ExitCode::kInput,
               "cannot start the decoder " + name + ": " + base::describe_errno(error) +
                   "; install quasar-decode beside quasar, or set QUASAR_DECODE to where it is");
  }
  return process;
}

}  // namespace

Spawner::Spawner() : thread_([this] { run(); }) {}

Spawner::~Spawner() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

pid_t Spawner::start(const std::filesystem::path& program, int control, int input, int output) {
  std::packaged_task<pid_t()> task([&] { return spawn(program, control, input, output); });
  auto started = task.get_future();
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
  return started.get();
}

void Spawner::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

}  // namespace quasar::decode
