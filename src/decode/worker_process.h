// Internal to the module: owns one running worker, from its start to its end.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <filesystem>
#include <string>

#include "base/descriptor.h"
#include "decode/spawner.h"

namespace quasar::decode {

/// How a process ended.
struct Death {
  int signal = 0;       ///< 0 when it ended by itself.
  int exit_status = 0;  ///< When it ended by itself; -1 when that is not known.
};

/// "signal SIGSEGV (Segmentation fault)", "exit status 1". The same at every run.
std::string describe(const Death& death);

class WorkerProcess {
 public:
  /// Starts it; it says when it is ready. Throws as Spawner::start.
  WorkerProcess(Spawner& spawner, const std::filesystem::path& program, int input, int output);
  /// Kills it where it still runs, and waits for its end.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int control() const { return control_.number(); }
  pid_t id() const { return process_; }

  /// Kills it and waits. A process that ended before by other means still says how.
  Death end();
  /// Waits for a process that is about to end because its control is closed; kills it after a while.
  Death end_of_closed();

  /// Processor time of all its threads, seconds.
  double processor_seconds() const;
  /// Its writable private memory, as RLIMIT_DATA counts it.
  std::uint64_t data_bytes() const;
  /// Its resident memory.
  std::uint64_t resident_bytes() const;
  /// Most writable private memory that it may have: now, and whatever it asks for.
  void limit_data(std::uint64_t bytes) const;

 private:
  Death reap();

  base::Descriptor control_;
  pid_t process_ = -1;
  clockid_t clock_{};
  bool has_clock_ = false;
};

}  // namespace quasar::decode
