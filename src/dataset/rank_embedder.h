// Owns the embedding of a rank's shards: decode threads, a bounded number of batches, encode threads, a
// thread that writes. They go on from one shard to the next: while the last rows of one are encoded and its
// file is written, the next one is being decoded.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "comm/communicator.h"
#include "corpus/plan.h"
#include "dataset/embed.h"
#include "dataset/open_shard.h"
#include "decode/worker_pool.h"
#include "pass/in_flight.h"
#include "pass/rank_metrics.h"
#include "pass/run_pass.h"

namespace quasar::dataset {

/// Threads of one rank.
struct EmbedThreads {
  int decode = 1;
  int encode = 1;
};

/// The configured numbers of threads, or those that fit the rank's cores. Collective.
EmbedThreads threads_of_rank(const EmbedConfig& config, const comm::Communicator& comm);

/// What is held at once on a rank.
struct InFlight {
  std::size_t batch = 1;    ///< Pictures that are encoded in one call; 1 where their shapes differ.
  std::size_t batches = 1;  ///< Begun and not encoded yet.
  std::size_t rows() const { return batch * batches; }
};

/// Enough for every thread to have something to do, and no fewer than config says.
InFlight in_flight(const EmbedConfig& config, const EmbedThreads& threads, std::size_t batch_size,
                   const base::InputSpec& input);

/// Embeds shards until the feed has no more.
class RankEmbedder {
 public:
  /// `missing`: the pass's list, places in the plan's list of shards. All outlive the object.
  RankEmbedder(const EmbedJob& job, const base::EncoderIdentity& identity, const std::vector<int>& missing,
               EmbedThreads threads, pass::RankMetrics& metrics);
  ~RankEmbedder();
  RankEmbedder(const RankEmbedder&) = delete;
  RankEmbedder& operator=(const RankEmbedder&) = delete;

  /// Takes shards, embeds and writes them. With job.retry, rows of a file that is there already and that need
  /// no retry are kept. Throws what stopped the work; of shards that are not finished nothing is left behind.
  /// Throws Error(kInterrupted) when a stop was asked for: batches that no thread encodes yet are given up,
  /// and shards that those being encoded complete are written.
  void run(pass::ShardFeed& feed);

  decode::PoolStatistics decoding() const { return pool_.statistics(); }
  void sample_memory() const { pool_.sample_memory(); }
  /// Whether the work is being given up: pictures in flight are let go of. Thread-safe.
  bool stopping();
  /// Shards begun and not written yet. Thread-safe, as is in_flight_table().
  std::vector<int> open_shards();
  const pass::InFlightTable& in_flight_table() const { return items_; }

 private:
  struct Item {
    OpenShard* shard = nullptr;
    std::size_t row = 0;
  };

  void start();
  void guarded(const std::function<void()>& work);
  void stop();
  /// Waits for all threads; what is finished is written.
  void join();
  bool wants_shard() const;
  /// The next shard is asked for when fewer items are left that no one works on.
  std::size_t least_ahead() const;
  void open(std::size_t place);
  OpenShard* next_open();
  std::optional<Item> next_item();
  void decode_loop(int worker);
  image::RgbImage decode(int worker, const Item& item);
  /// Claims what encoding the picture takes; a picture that takes too much is dropped, with its row's status.
  /// False when interrupted.
  bool admit(const Item& item, Batch& batch);
  void encode_loop(int encoder);
  /// Takes the time of uploads out of that of encoding.
  void note_upload();
  void encode_together(const Batch& batch, std::vector<float>& output);
  void encode_one(const Batch& batch, std::size_t i);
  void finish(Batch& batch);
  void write_loop();

  const EmbedJob& job_;
  const base::EncoderIdentity& identity_;
  const std::vector<int>& missing_;
  const EmbedThreads threads_;
  const InFlight in_flight_;
  const std::size_t dimension_;
  pass::RankMetrics& metrics_;
  std::atomic<std::int64_t> upload_noted_{0};  ///< Of the encoder's upload_time(), nanoseconds.
  std::string computed_on_;                    ///< As the shard written last says.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<OpenShard>> open_;      ///< In the order in which they were taken.
  std::deque<std::unique_ptr<OpenShard>> finished_;  ///< To be written.
  std::size_t unbegun_ = 0;                          ///< Items of open shards that no one works on yet.
  std::size_t begun_batches_ = 0;
  bool no_more_ = false;        ///< The feed has no further shard.
  std::optional<int> writing_;  ///< Id of the shard that is being written.
  bool stopping_ = false;
  bool none_follows_ = false;  ///< No thread is left that finishes shards.
  std::exception_ptr error_;
  base::BoundedQueue<Batch*> ready_;
  pass::InFlightTable items_;                      ///< A slot per decode thread, then one per encode thread.
  decode::WorkerPool pool_;                        ///< A worker per decode thread.
  std::optional<decode::MemoryGate> encode_gate_;  ///< Where pictures differ in shape and memory has a limit.
  std::mutex hdf5_;                                ///< The library is not thread-safe everywhere.
  pass::ShardFeed* feed_ = nullptr;
  std::vector<std::thread> workers_;  ///< That decode and encode.
  std::thread writer_;
};

}  // namespace quasar::dataset
