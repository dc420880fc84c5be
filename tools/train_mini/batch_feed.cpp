#include "batch_feed.h"

#include "base/errors.h"
#include "base/random.h"

namespace quasar::train_mini {

BatchFeed::BatchFeed(const CropPool& pool, const MiniTrainer& trainer, const Config& config)
    : pool_(pool),
      trainer_(trainer),
      config_(config),
      to_draw_(config.first_step),
      to_give_(config.first_step) {
  for (int t = 0; t < config_.threads; ++t) threads_.emplace_back([this] { work(); });
}

BatchFeed::~BatchFeed() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

std::shared_ptr<const StagedBatch> BatchFeed::next() {
  std::unique_lock lock(mutex_);
  QUASAR_CHECK(to_give_ < config_.end_step);
  changed_.wait(lock, [&] { return error_ || ready_.contains(to_give_); });
  if (error_) std::rethrow_exception(error_);
  auto batch = ready_.extract(to_give_++).mapped();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

void BatchFeed::work() {
  // As many wait as there are threads, so that none idles and memory stays bounded.
  const std::int64_t ahead = 2 * std::int64_t{config_.threads};
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] {
      return stopped_ || error_ || to_draw_ == config_.end_step || to_draw_ < to_give_ + ahead;
    });
    if (stopped_ || error_ || to_draw_ == config_.end_step) return;
    const std::int64_t step = to_draw_++;
    lock.unlock();
    try {
      base::Random random(base::derive_seed(config_.seed, static_cast<std::uint64_t>(step), 1));
      auto drawn = pool_.draw(config_.batch, step, random);
      auto staged = trainer_.stage(std::move(drawn.pixels), config_.batch.side, drawn.crops);
      lock.lock();
      ready_.emplace(step, std::move(staged));
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      if (!error_) error_ = std::current_exception();
    }
    changed_.notify_all();
  }
}

}  // namespace quasar::train_mini
