#include "curation/column_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/errors.h"

namespace quasar::curation {
namespace {

constexpr std::size_t kHalves = std::size_t{1} << 16U;

/// Code whose order is that of the values; -0 and 0 have different ones, which no quantile can tell.
std::uint32_t ascending_code(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x80000000U) != 0U ? ~bits : bits | 0x80000000U;
}

float value_of_code(std::uint32_t code) {
  return std::bit_cast<float>((code & 0x80000000U) != 0U ? code & 0x7FFFFFFFU : ~code);
}

/// Position of quantile i/10 in the ascending order of n values.
std::uint64_t quantile_position(std::size_t i, std::uint64_t n) {
  // i * (n - 1) / 10 in integers: exact, and without overflow for any count there can be.
  return i * (n - 1) / (kQuantiles - 1);
}

}  // namespace

ColumnSurvey::ColumnSurvey(std::size_t columns) : columns_(columns) {
  for (auto& column : columns_) {
    column.upper.assign(kHalves, 0);
    column.min = std::numeric_limits<double>::infinity();
    column.max = -std::numeric_limits<double>::infinity();
  }
}

void ColumnSurvey::add_first(std::span<const float> values) {
  QUASAR_CHECK(values.size() == columns_.size());
  ++rows_;
  for (std::size_t c = 0; c < values.size(); ++c) {
    Column& column = columns_[c];
    ++column.upper[ascending_code(values[c]) >> 16U];
    column.min = std::min(column.min, static_cast<double>(values[c]));
    column.max = std::max(column.max, static_cast<double>(values[c]));
  }
}

void ColumnSurvey::end_first(const comm::Communicator& comm) {
  comm.all_reduce(std::span(&rows_, 1), comm::Reduction::kSum);
  for (auto& column : columns_) {
    comm.all_reduce(column.upper, comm::Reduction::kSum);
    column.min = comm.all_reduce(column.min, comm::Reduction::kMin);
    column.max = comm.all_reduce(column.max, comm::Reduction::kMax);
    column.slot_of.assign(kHalves, 0);
    if (rows_ == 0) continue;
    // The largest magnitude, times the rows, stays below 2^62 units.
    const double largest = std::max(std::abs(column.min), std::abs(column.max));
    const int magnitude = largest > 0 ? std::ilogb(largest) + 1 : 0;
    column.unit = std::ldexp(1.0, magnitude + static_cast<int>(std::bit_width(rows_)) - 62);
    std::uint64_t before = 0;
    std::size_t quantile = 0;
    for (std::size_t half = 0; half < kHalves && quantile < kQuantiles; ++half) {
      const std::uint64_t after = before + column.upper[half];
      const std::size_t first = quantile;
      while (quantile < kQuantiles && quantile_position(quantile, rows_) < after) ++quantile;
      if (quantile != first) {
        column.wanted.push_back(static_cast<std::uint32_t>(half));
        column.slot_of[half] = static_cast<std::uint16_t>(column.wanted.size());
      }
      before = after;
    }
    column.lower.assign(column.wanted.size() * kHalves, 0);
  }
}

void ColumnSurvey::add_second(std::span<const float> values) {
  QUASAR_CHECK(values.size() == columns_.size());
  for (std::size_t c = 0; c < values.size(); ++c) {
    Column& column = columns_[c];
    const auto value = static_cast<double>(values[c]);
    const std::uint32_t code = ascending_code(values[c]);
    const std::size_t slot = column.slot_of[code >> 16U];
    if (slot != 0) ++column.lower[(slot - 1) * kHalves + (code & 0xFFFFU)];
    column.sum += std::llrint(value / column.unit);
  }
}

std::vector<ColumnStatistics> ColumnSurvey::end_second(const comm::Communicator& comm) {
  std::vector<ColumnStatistics> result;
  for (auto& column : columns_) {
    comm.all_reduce(column.lower, comm::Reduction::kSum);
    column.sum = comm.all_reduce(column.sum, comm::Reduction::kSum);
    ColumnStatistics& statistics = result.emplace_back();
    statistics.count = rows_;
    if (rows_ == 0) {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      statistics.min = statistics.mean = statistics.max = kNan;
      statistics.quantiles.fill(kNan);
      continue;
    }
    statistics.min = column.min;
    statistics.max = column.max;
    statistics.mean = static_cast<double>(column.sum) * column.unit / static_cast<double>(rows_);
    std::uint64_t before = 0;
    std::size_t quantile = 0;
    for (std::size_t half = 0; half < kHalves; ++half) {
      const std::size_t slot = column.slot_of[half];
      if (slot == 0) {
        before += column.upper[half];
        continue;
      }
      for (std::size_t low = 0; low < kHalves; ++low) {
        before += column.lower[(slot - 1) * kHalves + low];
        while (quantile < kQuantiles && quantile_position(quantile, rows_) < before) {
          statistics.quantiles[quantile++] = static_cast<double>(
              value_of_code(static_cast<std::uint32_t>(half << 16U) | static_cast<std::uint32_t>(low)));
        }
      }
    }
  }
  return result;
}

}  // namespace quasar::curation
