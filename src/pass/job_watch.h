// Owns the watch over a whole job, from before MPI starts until after it has ended: in whatever phase a rank
// falls silent, is lost, or waits for what never comes, the job ends with its name and exit status kStalled
// instead of hanging. It also says what a stop waits for.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "comm/dispatcher.h"
#include "pass/ticker.h"

namespace quasar::pass {

/// Adds up the time that this process was awake: a halt (a suspended job, a machine that stood still) counts
/// as one turn, so that after it nobody's silence is taken for long.
class AwakeClock {
 public:
  /// Seconds awake so far. `now`: of a steady clock.
  double turn(std::chrono::steady_clock::time_point now);

 private:
  std::optional<std::chrono::steady_clock::time_point> last_;
  double awake_ = 0;
};

/// Ends all ranks at once with a message on standard error, and this process also where MPI itself hangs.
/// Does not return.
[[noreturn]] void end_job(base::ExitCode code, const std::string& message);

/// Seconds that MPI gets to start and to end in, at least: hundreds of ranks take a while.
inline constexpr double kLeastStart = 60;

/// The watch of one process, one object, in main. Rank 0's looks at all ranks, that of every other rank at
/// rank 0; while there is no dispatcher, as MPI starts or ends, each at its own process.
class JobWatch {
 public:
  /// `start_limit`: the longest that MPI may take to start, seconds; it needs some whatever the ranks'
  /// silence may be (kLeastStart).
  explicit JobWatch(double start_limit);

  /// The job's dispatcher is there; until detach(), which comes before its end.
  void attach(comm::Dispatcher& dispatcher);
  void detach();

 private:
  void look();
  /// Says, once, what this process is at when it has not ended a few seconds after a stop was asked for.
  void tell_of_stop(double awake);  // with mutex_ held

  std::mutex mutex_;
  comm::Dispatcher* dispatcher_ = nullptr;
  AwakeClock clock_;
  double limit_;
  double alone_since_ = 0;
  std::optional<double> stop_since_;  ///< When a stop was first seen.
  bool stop_told_ = false;
  Ticker ticker_;
};

}  // namespace quasar::pass
