#include "cluster/centroid_sums.h"

#include <algorithm>

#include "cluster/row_kernels.h"

namespace quasar::cluster {

CentroidSums::CentroidSums(std::size_t k, std::size_t dimension, const FixedPointScale& scale, int threads)
    : k_(k),
      dimension_(dimension),
      tables_(tables(k, threads)),
      scale_(scale),
      sums_(tables_ * (k * dimension + k), 0),
      locks_(std::make_unique<std::atomic_flag[]>(tables_ * k)) {}

std::size_t CentroidSums::tables(std::size_t k, int threads) {
  const auto count = static_cast<std::size_t>(std::max(1, threads));
  return std::clamp<std::size_t>(8 * count / k, 1, count);
}

std::uint64_t CentroidSums::bytes(std::size_t k, std::size_t dimension, int threads) {
  return tables(k, threads) * (k * dimension + 2 * k) * sizeof(std::int64_t);
}

void CentroidSums::clear() {
  std::ranges::fill(sums_, 0);
}

void CentroidSums::add(int thread, std::span<const float> rows, std::span<const std::int64_t> labels) {
  const std::size_t table = static_cast<std::size_t>(thread) % tables_;
  std::int64_t* const sums = sums_.data() + table * (k_ * dimension_ + k_);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    auto& lock = locks_[table * k_ + label];
    while (lock.test_and_set(std::memory_order_acquire)) lock.wait(true, std::memory_order_relaxed);
    kernels::add_fixed(rows.data() + i * dimension_, dimension_, scale_.scale(), sums + label * dimension_);
    ++sums[k_ * dimension_ + label];
    lock.clear(std::memory_order_release);
    lock.notify_one();
  }
}

std::span<std::int64_t> CentroidSums::joined() {
  const std::size_t length = k_ * dimension_ + k_;
  for (std::size_t table = 1; table < tables_; ++table) {
    for (std::size_t i = 0; i < length; ++i) sums_[i] += sums_[table * length + i];
  }
  return std::span(sums_).first(length);
}

void FarthestRows::clear() {
  rows_.clear();
  threshold_.store(-1, std::memory_order_relaxed);
}

void FarthestRows::offer(const Row& row) {
  if (row.distance < threshold_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  if (rows_.size() == most_) {
    if (!before(row, rows_.front())) return;
    std::ranges::pop_heap(rows_, before);
    rows_.pop_back();
  }
  rows_.push_back(row);
  std::ranges::push_heap(rows_, before);
  if (rows_.size() == most_) threshold_.store(rows_.front().distance, std::memory_order_relaxed);
}

std::vector<FarthestRows::Row> FarthestRows::sorted() const {
  auto rows = rows_;
  std::ranges::sort(rows, before);
  return rows;
}

}  // namespace quasar::cluster
