#include "cluster/thread_team.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/single_threaded_blas.h"

namespace quasar::cluster {

struct ThreadTeam::Impl {
  base::SingleThreadedBlas blas;
  std::mutex mutex;
  std::condition_variable start;
  std::condition_variable finished;
  const std::function<void(int)>* work = nullptr;
  std::vector<std::exception_ptr> errors;
  std::uint64_t round = 0;
  int running = 0;
  bool ending = false;
  std::vector<std::thread> threads;

  void serve(int thread) {
    std::uint64_t seen = 0;
    while (true) {
      std::unique_lock lock(mutex);
      start.wait(lock, [&] { return ending || round != seen; });
      if (ending) return;
      seen = round;
      lock.unlock();
      work_as(thread);
      lock.lock();
      if (--running == 0) finished.notify_one();
    }
  }

  void work_as(int thread) {
    try {
      (*work)(thread);
    } catch (...) {
      errors[static_cast<std::size_t>(thread)] = std::current_exception();
    }
  }
};

ThreadTeam::ThreadTeam(int threads) : impl_(std::make_unique<Impl>()) {
  const int count = std::max(1, threads);
  impl_->errors.resize(static_cast<std::size_t>(count));
  for (int thread = 1; thread < count; ++thread) {
    impl_->threads.emplace_back([impl = impl_.get(), thread] { impl->serve(thread); });
  }
}

ThreadTeam::~ThreadTeam() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->start.notify_all();
  for (auto& thread : impl_->threads) thread.join();
}

int ThreadTeam::size() const {
  return static_cast<int>(impl_->errors.size());
}

void ThreadTeam::run(const std::function<void(int)>& work) {
  std::ranges::fill(impl_->errors, nullptr);
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->work = &work;
    impl_->running = static_cast<int>(impl_->threads.size());
    ++impl_->round;
  }
  impl_->start.notify_all();
  impl_->work_as(0);
  {
    std::unique_lock lock(impl_->mutex);
    impl_->finished.wait(lock, [&] { return impl_->running == 0; });
  }
  for (const auto& error : impl_->errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace quasar::cluster
