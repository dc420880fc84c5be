#include "pass/job_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/activity.h"
#include "base/logging.h"
#include "base/stop_signal.h"
#include "comm/communicator.h"
#include "pass/job_result.h"
#include "pass/launcher.h"

namespace quasar::pass {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(100);
/// The most that one turn counts for, seconds. A machine at its limit delays turns by less.
constexpr double kLongestTurn = 1;
/// What MPI gets to end the job in, and its launcher after that.
constexpr auto kAbortLimit = std::chrono::seconds(3);
constexpr auto kLauncherGrace = std::chrono::seconds(4);
/// A stop that has ended by then, seconds, says nothing of what it waits for.
constexpr double kStopPatience = 3;

}  // namespace

double AwakeClock::turn(std::chrono::steady_clock::time_point now) {
  if (last_) awake_ += std::min(std::chrono::duration<double>(now - *last_).count(), kLongestTurn);
  last_ = now;
  return awake_;
}

void end_job(base::ExitCode code, const std::string& message) {
  fmt::print(stderr, "quasar: {}\n", message);
  std::fflush(stderr);
  const int status = static_cast<int>(code);
  write_job_result(status);
  end_launcher_after(kLauncherGrace);
  // Where the network is gone, or a thread hangs in MPI with its lock held, MPI_Abort hangs as well.
  std::thread([status] {
    comm::Environment::abort(status);
    ::_exit(status);
  }).detach();
  std::this_thread::sleep_for(kAbortLimit);
  ::_exit(status);
}

JobWatch::JobWatch(double start_limit)
    : limit_(std::max(start_limit, kLeastStart)), ticker_(kPeriod, [this] { look(); }) {}

void JobWatch::attach(comm::Dispatcher& dispatcher) {
  const std::scoped_lock lock(mutex_);
  dispatcher_ = &dispatcher;
}

void JobWatch::detach() {
  const std::scoped_lock lock(mutex_);
  if (dispatcher_ != nullptr) limit_ = std::max(dispatcher_->limit(), kLeastStart);
  dispatcher_ = nullptr;
  alone_since_ = clock_.turn(std::chrono::steady_clock::now());
}

void JobWatch::look() {
  const std::scoped_lock lock(mutex_);
  const double awake = clock_.turn(std::chrono::steady_clock::now());
  tell_of_stop(awake);
  if (dispatcher_ != nullptr) {
    if (const auto verdict = dispatcher_->look(awake)) end_job(verdict->code, verdict->message);
    return;
  }
  if (awake - alone_since_ <= limit_) return;
  end_job(base::ExitCode::kStalled,
          fmt::format("MPI has neither started nor ended for {:.1f} s, in the phase \"{}\"",
                      awake - alone_since_, base::current_phase()));
}

void JobWatch::tell_of_stop(double awake) {
  if (stop_told_ || !base::stop_requested()) return;
  if (!stop_since_) stop_since_ = awake;
  // A rank that waits for others is not the one that is waited for.
  if (awake - *stop_since_ < kStopPatience || (dispatcher_ != nullptr && dispatcher_->waiting())) return;
  stop_told_ = true;
  base::log_info("stopping: waiting for \"{}\"", base::current_phase());
}

}  // namespace quasar::pass
