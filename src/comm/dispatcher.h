// Owns the messages between a job's ranks and its dispatcher, which hands out shards, takes signs of life and
// wishes to stop, and knows when all are done. The dispatcher is a thread of rank 0 over DispatchState; every
// other rank has a thread that talks to it. Plain sends and receives, polled: both sleep when there is
// nothing to do, and neither needs the other ranks' main threads to be in MPI.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/dispatch_state.h"

namespace quasar::comm {

/// A rank's way to the dispatcher. Construction and destruction are collective; the rest is not, and is
/// thread-safe unless it says otherwise.
class Dispatcher {
 public:
  /// MPI's side of it: a communicator of its own.
  class Channel;

  /// `hosts`: by rank. `channel`: null for a job of one rank.
  Dispatcher(int rank, std::vector<std::string> hosts, std::unique_ptr<Channel> channel);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Longest silence of a rank, seconds.
  void set_limit(double seconds) { limit_ = seconds; }
  double limit() const { return limit_; }

  /// Begins the next pass over a list of shards; all ranks begin the same ones in the same order. One pass at
  /// a time, from the main thread.
  void begin_pass(std::int64_t shards);
  /// The next place in the pass's list; none when all are handed out, a rank has failed, or a stop was asked
  /// for.
  std::optional<std::int64_t> take();
  void add_rows(std::int64_t rows) { rows_ += rows; }
  /// Waits until every rank has left the pass; the outcome of the lowest that failed. Main thread only.
  Outcome leave(const Outcome& outcome);
  /// Waits until every rank's work is over; as leave().
  Outcome end(const Outcome& outcome);

  /// On rank 0: of the present pass.
  PassProgress progress();

  /// For the thread that watches this process, a few times a second: the reason to end the job, if there is
  /// one. `awake`: seconds that the process has been awake.
  std::optional<Verdict> look(double awake);

  /// Whether the main thread waits for other ranks. Thread-safe.
  bool waiting() const { return waiting_ > 0; }
  /// Says, while it lives, that the main thread waits for other ranks.
  class Waiting {
   public:
    explicit Waiting(Dispatcher& dispatcher) : dispatcher_(dispatcher) { ++dispatcher_.waiting_; }
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Dispatcher& dispatcher_;
  };

 private:
  struct Letter {
    int rank = 0;
    std::string bytes;
  };

  bool is_root() const { return rank_ == 0; }
  Call make_call(CallKind kind);
  Reply ask(Call call);
  void handle(int rank, const Call& call);  // with mutex_ held, on rank 0
  void run();
  void receive(int from, std::string_view bytes);
  bool may_close() const;  // with mutex_ held
  std::chrono::milliseconds pulse_period() const;

  const int rank_;
  const std::vector<std::string> hosts_;
  std::unique_ptr<Channel> channel_;
  std::atomic<double> limit_{1800};
  std::atomic<std::int64_t> rows_{0};
  std::atomic<std::int32_t> pass_{0};
  std::atomic<std::int64_t> shards_{0};
  std::atomic<int> waiting_{0};
  std::atomic<std::uint64_t> calls_{0};

  std::mutex mutex_;
  std::condition_variable to_send_;
  std::condition_variable answered_;
  DispatchState state_;  ///< Rank 0's.
  std::deque<Letter> outbox_;
  std::map<std::uint64_t, Reply> replies_;
  std::uint64_t heard_ = 0;  ///< Replies so far.
  std::string broken_;       ///< What MPI said when it failed.
  bool closing_ = false;
  // Of look().
  std::uint64_t heard_seen_ = 0;
  double heard_at_ = 0;
  std::thread thread_;
};

}  // namespace quasar::comm
