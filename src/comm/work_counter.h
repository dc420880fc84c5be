// Owns the job's shared counters: one-sided MPI memory on rank 0, so that no rank has to serve the others.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.h"

namespace quasar::comm {

/// A few 64-bit counters that every rank may advance at any time, without the others taking part.
/// Construction and destruction are collective; the rest is thread-safe.
class WorkCounter {
 public:
  WorkCounter(const Communicator& communicator, int counters);
  ~WorkCounter();
  WorkCounter(const WorkCounter&) = delete;
  WorkCounter& operator=(const WorkCounter&) = delete;

  /// Adds to a counter and returns its value before. Not collective; atomic.
  std::int64_t fetch_add(int counter, std::int64_t increment);
  /// Current value of every counter. Not collective.
  std::vector<std::int64_t> read();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::comm
