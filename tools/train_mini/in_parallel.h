// Owns the loop over independent pieces of work on several threads.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/progress.h"

namespace quasar::train_mini {

/// work(i) for i in 0..count-1 on several threads, with a progress line; rethrows the first error of any.
template <typename Work>
void in_parallel(int count, int threads, const char* what, const char* unit, const Work& work) {
  std::atomic<int> next{0};
  std::atomic<int> finished{0};
  std::exception_ptr error;
  std::mutex mutex;
  std::vector<std::thread> pool;
  pool.reserve(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      try {
        for (int i = next++; i < count; i = next++) {
          work(i);
          ++finished;
        }
      } catch (...) {
        const std::scoped_lock lock(mutex);
        error = std::current_exception();
        next = count;
        finished = count;
      }
    });
  }
  base::Progress progress(what, unit, static_cast<std::uint64_t>(count));
  while (finished < count) {
    progress.update(static_cast<std::uint64_t>(finished.load()));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  for (auto& thread : pool) thread.join();
  progress.finish();
  if (error) std::rethrow_exception(error);
}

}  // namespace quasar::train_mini
