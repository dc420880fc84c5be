// Owns what the ranks of a pass over shards tell each other while they work: shards taken, rows done, signs
// of life, the wish to stop. And the watch over it: a rank that falls silent is named and the job ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/work_counter.h"

namespace quasar::pipeline {

/// One rank as the others see it.
struct RankProgress {
  std::int64_t rows = 0;
  std::int64_t steps = 0;  ///< Anything that got done; it stands still when the rank does.
  bool finished = false;   ///< No shard is left for it.
};

/// Construction and destruction are collective, the rest is not. Thread-safe.
class JobBoard {
 public:
  explicit JobBoard(const comm::Communicator& comm);

  /// The next place in the list of shards.
  std::int64_t take_shard();
  /// Takes the whole list, so that the other ranks stop after the shard they are at.
  void take_all(std::int64_t shards);
  /// This rank's news since its last call.
  void post(std::int64_t rows, std::int64_t steps);
  void post_finished();
  void post_stop();
  bool stop_posted();
  /// Makes one rank's wish to stop (stop_signal.h) every rank's. From one thread at a time.
  void share_stop();
  /// Rows posted by all ranks so far.
  std::int64_t rows_done();
  std::vector<RankProgress> ranks();

 private:
  int rank_;
  int size_;
  bool told_ = false;
  comm::WorkCounter counter_;
};

/// Rank 0's watch over all.
class StallWatch {
 public:
  /// `stall_seconds`: the longest that a rank may stand still.
  StallWatch(JobBoard& board, std::filesystem::path state_folder, double stall_seconds);

  /// Looks at every rank. Ends the job with exit status kStalled, naming the rank and what it was at by its
  /// journal, when one has stood still for too long.
  void look();
  /// "slowest rank 3: 12.1/s" of the ranks still at work; empty for fewer than two. Thread-safe.
  std::string slowest();

 private:
  struct Seen {
    std::int64_t steps = -1;
    std::chrono::steady_clock::time_point since;
  };

  JobBoard& board_;
  const std::filesystem::path state_folder_;
  const double stall_seconds_;
  const std::chrono::steady_clock::time_point start_;
  std::vector<Seen> seen_;
  std::mutex mutex_;
  std::string slowest_;
};

}  // namespace quasar::pipeline
