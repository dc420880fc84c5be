#include "pass/ticker.h"

#include <utility>

namespace quasar::pass {

Ticker::Ticker(std::chrono::milliseconds period, std::function<void()> tick)
    : thread_([this, period, work = std::move(tick)] {
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, period, [&] { return over_; })) {
          lock.unlock();
          work();
          lock.lock();
        }
      }) {}

Ticker::~Ticker() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace quasar::pass
