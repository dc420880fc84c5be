// Owns the way rows reach k-means: a source that can be read again and again, so that rows need not fit in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quasar::cluster {

/// Rows [n, d] that this rank holds, with their global numbers. Numbers are distinct within and between
/// ranks and not negative; their order is the order that seeds draw from.
class RowSource {
 public:
  virtual ~RowSource() = default;

  virtual std::size_t dimension() const = 0;
  /// Rows of this rank.
  virtual std::int64_t size() const = 0;
  /// Copies the rows first..first+count-1 of this rank: their values [count, d] and their numbers [count].
  /// An empty span is not filled. Called by one thread at a time, but not always the same one. May throw
  /// base::Error.
  virtual void read(std::int64_t first, std::int64_t count, std::span<float> values,
                    std::span<std::int64_t> numbers) = 0;
  /// All values [size, d] where they lie in memory anyway, valid as long as the source; else empty.
  virtual std::span<const float> resident() const { return {}; }
};

/// Rows in memory: values [n, d] and their numbers [n].
struct LocalRows {
  std::span<const float> values;
  std::span<const std::int64_t> numbers;
  std::size_t dimension = 0;

  std::span<const float> row(std::size_t i) const { return values.subspan(i * dimension, dimension); }
};

/// A source over rows in memory, which are not copied and must outlive it.
class MemoryRows final : public RowSource {
 public:
  explicit MemoryRows(const LocalRows& rows) : rows_(rows) {}

  std::size_t dimension() const override { return rows_.dimension; }
  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.numbers.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;
  std::span<const float> resident() const override { return rows_.values; }

 private:
  LocalRows rows_;
};

}  // namespace quasar::cluster
