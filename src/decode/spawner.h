// Internal to the module: owns the thread that starts the workers.
//
// The kernel's promise that a worker ends with its parent is tied to the thread that started it, not to the
// process: a worker started by a decode thread would end with that thread.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

namespace quasar::decode {

/// Lives longer than its processes.
class Spawner {
 public:
  Spawner();
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Starts `program PARENT` with these descriptors as kControlDescriptor, kInputDescriptor and
  /// kOutputDescriptor, /dev/null for stdin and stdout, and the signals of a job blocked until it ignores
  /// them. Throws Error(kInput) naming the program and the cure when it cannot be started. Thread-safe.
  pid_t start(const std::filesystem::path& program, int control, int input, int output);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::packaged_task<pid_t()>> tasks_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace quasar::decode
