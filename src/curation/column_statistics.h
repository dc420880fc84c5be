// Owns exact statistics of score columns over all ranks, in memory that does not grow with the rows.
//
// Quantiles are exact: float32 values have 2^32 order-preserving codes, and two passes over the values count
// the upper and then the lower half of the codes that matter. Means are summed as integers (multiples of a
// power of two), so neither order nor number of ranks can change a bit.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"

namespace quasar::curation {

inline constexpr std::size_t kQuantiles = 11;  ///< Minimum, nine deciles, maximum.

struct ColumnStatistics {
  std::uint64_t count = 0;
  double min = 0;  ///< The values are NaN when count is 0.
  double mean = 0;
  double max = 0;
  /// Quantile i/10: the value at position floor(i / 10 * (count - 1)) of the ascending order.
  std::array<double, kQuantiles> quantiles{};
};

/// Gathers the statistics of several columns in two passes over the same rows.
///
///   ColumnSurvey survey(columns);
///   for (row : rows) survey.add_first(row);   survey.end_first(comm);
///   for (row : rows) survey.add_second(row);  auto statistics = survey.end_second(comm);
class ColumnSurvey {
 public:
  explicit ColumnSurvey(std::size_t columns);

  /// Takes the values of one row, one per column, all finite.
  void add_first(std::span<const float> values);
  /// Joins the first passes of all ranks. Collective.
  void end_first(const comm::Communicator& comm);
  /// Takes the rows of the first pass again, in any order.
  void add_second(std::span<const float> values);
  /// Joins the second passes. Collective; the same result on every rank.
  std::vector<ColumnStatistics> end_second(const comm::Communicator& comm);

 private:
  struct Column {
    std::vector<std::uint64_t> upper;  ///< [2^16] rows by the upper half of the code.
    double min = 0;
    double max = 0;
    double unit = 1;  ///< Sums are multiples of this power of two.
    std::int64_t sum = 0;
    std::vector<std::uint32_t> wanted;   ///< Upper halves that hold a quantile, ascending.
    std::vector<std::uint16_t> slot_of;  ///< [2^16] 1 + index into `wanted`, or 0.
    std::vector<std::uint64_t> lower;    ///< [wanted, 2^16] rows by the lower half.
  };
  std::vector<Column> columns_;
  std::uint64_t rows_ = 0;  ///< Of all ranks once the first pass has ended.
};

}  // namespace quasar::curation
