// Owns the threads of one rank that share its work.
#pragma once

#include <functional>
#include <memory>

namespace quasar::cluster {

/// A fixed number of threads, of which the caller is one. While a team lives, the BLAS library runs each
/// call in the calling thread alone, so that the team's threads and the library's do not compete.
class ThreadTeam {
 public:
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const;
  /// Calls work(0..size-1), each in a thread of its own, and waits for all. The exception of the lowest
  /// thread that threw is thrown again.
  void run(const std::function<void(int)>& work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::cluster
