// Owns the threads that make batches ready while another is computed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "crop_pool.h"
#include "mini_trainer.h"

namespace quasar::train_mini {

/// Batches in the order of steps, whichever thread drew them. A batch depends on the seed and its step alone.
class BatchFeed {
 public:
  struct Config {
    BatchConfig batch;
    std::uint64_t seed = 1;
    std::int64_t first_step = 0;
    std::int64_t end_step = 0;
    int threads = 1;
  };

  /// Pool and trainer must outlive it.
  BatchFeed(const CropPool& pool, const MiniTrainer& trainer, const Config& config);
  ~BatchFeed();
  BatchFeed(const BatchFeed&) = delete;
  BatchFeed& operator=(const BatchFeed&) = delete;

  /// The next step's batch; waits for it. Rethrows what drawing it threw. Not beyond end_step.
  std::shared_ptr<const StagedBatch> next();

 private:
  void work();

  const CropPool& pool_;
  const MiniTrainer& trainer_;
  Config config_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t to_draw_ = 0;  ///< The next step that no thread has taken.
  std::int64_t to_give_ = 0;  ///< The next step that next() returns.
  std::map<std::int64_t, std::shared_ptr<const StagedBatch>> ready_;
  std::exception_ptr error_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace quasar::train_mini
