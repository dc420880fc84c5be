// Internal to the module: owns the sums of the rows of each cluster while several threads add to them.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cluster/exact_sum.h"

namespace quasar::cluster {

/// Integer sums [k, d] and counts [k]. Threads share a few tables, each row of which has a lock of its own:
/// integers add up to the same in any order.
class CentroidSums {
 public:
  CentroidSums(std::size_t k, std::size_t dimension, const FixedPointScale& scale, int threads);

  void clear();
  /// Adds rows [n, d] to the sums of their labels. Thread-safe.
  void add(int thread, std::span<const float> rows, std::span<const std::int64_t> labels);
  /// Joins the tables; sums [k, d] and then counts [k], ready to be added up over ranks.
  std::span<std::int64_t> joined();

  /// Tables for this many clusters and threads: one where clusters are many enough that threads seldom meet.
  static std::size_t tables(std::size_t k, int threads);
  static std::uint64_t bytes(std::size_t k, std::size_t dimension, int threads);

 private:
  std::size_t k_;
  std::size_t dimension_;
  std::size_t tables_;
  FixedPointScale scale_;
  std::vector<std::int64_t> sums_;  ///< [tables, k * d + k]
  std::unique_ptr<std::atomic_flag[]> locks_;
};

/// The rows farthest from their centroids, at most `most` of them.
class FarthestRows {
 public:
  struct Row {
    float distance;
    std::int64_t number;
    std::int64_t index;  ///< Place in the source of the rank that holds it.
  };

  explicit FarthestRows(std::size_t most) : most_(most) { rows_.reserve(most); }
  void clear();
  /// Thread-safe; costs one comparison for a row that is nearer than all kept ones.
  void offer(const Row& row);
  /// Farthest first, ties by the lowest number.
  std::vector<Row> sorted() const;
  static bool before(const Row& a, const Row& b) {
    return a.distance != b.distance ? a.distance > b.distance : a.number < b.number;
  }

 private:
  std::size_t most_;
  std::vector<Row> rows_;  ///< A heap with the nearest kept row on top.
  std::atomic<float> threshold_ = -1;
  std::mutex mutex_;
};

}  // namespace quasar::cluster
