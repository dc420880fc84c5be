// Internal to the module: batches in parts that fit the device's memory, or the caches.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>

namespace quasar::encoder {

/// Runs a batch in parts no larger than what has fitted so far. Not thread-safe.
class BatchLimit {
 public:
  /// `limit`: largest part from the start; 0 for whole batches.
  explicit BatchLimit(std::int64_t limit = 0) : limit_(limit) {}

  /// Computes rows [first, first + count) of the batch: [count, d].
  using Forward = std::function<torch::Tensor(std::int64_t first, std::int64_t count)>;

  /// All rows, [rows, d]. A part that fails with LibTorch's "out of memory" is halved, and stays halved in
  /// later calls. Lets through every other exception, and "out of memory" for a single row.
  torch::Tensor run(std::int64_t rows, const Forward& forward);

  /// Largest part that is tried; 0: everything has fitted.
  std::int64_t limit() const { return limit_; }

 private:
  std::int64_t limit_;
};

}  // namespace quasar::encoder
