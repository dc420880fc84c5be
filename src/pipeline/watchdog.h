// Owns the thread of each rank that looks after the others: it ends the process for an image that hangs in
// its decoder, where nothing else could.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "pipeline/journal.h"

namespace quasar::pipeline {

/// Calls `look` on a thread of its own, again and again with `period` between, from construction to
/// destruction. `look` throws nothing.
class Watchdog {
 public:
  Watchdog(std::chrono::milliseconds period, std::function<void()> look);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

/// Ends the job with exit status kStalled when an image has been in its decoder for longer than `seconds`. It
/// is marked in the journal, so that the next start knows the culprit.
void end_if_hung(Journal& journal, double seconds);

/// Ends all ranks at once with a message on standard error, even where MPI itself hangs. Does not return.
[[noreturn]] void end_job(int exit_code, const std::string& message);

}  // namespace quasar::pipeline
