// Owns what the ranks of a pass over shards tell each other while they work: shards taken, rows done, signs
// of life, the wish to stop. And the watch over it: a rank that falls silent is named and the job ended.
#pragma once

#include <atomic>
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
  /// A sign of life of rank 0's watch, which the other ranks look for: rank 0 as a whole may be halted, also
  /// when no shard is left for it.
  void beat();
  std::int64_t beats();

 private:
  int rank_;
  int size_;
  bool told_ = false;
  comm::WorkCounter counter_;
};

/// A rank's watch over others: rank 0's over the progress of all ranks, that of every other rank over rank
/// 0's watch.
class StallWatch {
 public:
  /// `stall_seconds`: the longest that a rank may stand still. `rank`: the one that watches.
  StallWatch(JobBoard& board, std::filesystem::path state_folder, double stall_seconds, int rank);

  /// Looks at the watched ranks: what to say of one that has stood still for too long, and of what it was at
  /// by its journal; empty when all is well. While this process itself was halted (a suspended job), nobody's
  /// silence counts.
  std::string verdict();
  /// The same; ends the job with exit status kStalled for a verdict.
  void look();
  /// "slowest rank 3: 12.1/s" of the ranks still at work; empty for fewer than two. Thread-safe.
  std::string slowest();

 private:
  struct Seen {
    std::int64_t steps = -1;
    std::chrono::steady_clock::time_point since;
  };

  std::string silence_of(std::size_t rank, const RankProgress& progress);
  void forget_if_halted();
  void note_slowest(const std::vector<RankProgress>& ranks);

  JobBoard& board_;
  const std::filesystem::path state_folder_;
  const double stall_seconds_;
  const bool watches_all_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point looked_;
  std::vector<Seen> seen_;
  std::mutex mutex_;
  std::string slowest_;
};

/// Time between two looks of the threads that watch.
inline constexpr auto kWatchPeriod = std::chrono::milliseconds(200);

/// A rank's watch over the others as two threads keep it, each calling its part every kWatchPeriod.
class PeerWatch {
 public:
  /// As StallWatch.
  PeerWatch(JobBoard& board, std::filesystem::path state_folder, double stall_seconds, int rank);

  /// Ends the job with exit status kStalled when a rank has stood still for too long.
  void look();
  /// From the other thread: ends the job when look() has not come back for too long. The board lies in rank
  /// 0's memory, which may need rank 0's help to be read; where that process hangs, so does look().
  void look_after();
  std::string slowest() { return stalls_.slowest(); }

 private:
  bool is_due();

  const int rank_;
  const double stall_seconds_;
  std::chrono::steady_clock::time_point asked_;
  StallWatch stalls_;
  std::atomic<std::uint64_t> looks_{0};
  // Of look_after's thread. Its own turns are counted, not time, which goes on while the process is halted.
  std::uint64_t looks_seen_ = 0;
  std::int64_t unanswered_ = 0;
};

}  // namespace quasar::pipeline
