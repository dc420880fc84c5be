// Owns sums of floating-point numbers that come out the same in whatever order and on however many ranks they
// are made.
//
// Rows: each value is rounded once to a multiple of 2^-shift and added as a 64-bit integer. Integer sums are
// exact, so their order cannot matter. The shift is chosen from the largest magnitude and the number of rows,
// both known exactly on every rank, so that no sum can overflow. The cost is one rounding per value of at
// most half a unit: with 2^27 rows about 35 bits below the largest magnitude, well below float32's own 24.
// Single numbers: BinnedSum is exact whatever their magnitudes.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quasar::cluster {

/// Converts between values and integer multiples of 2^-shift.
class FixedPointScale {
 public:
  /// For sums of up to `rows` values of magnitude up to `largest` (finite).
  FixedPointScale(double largest, std::uint64_t rows);

  std::int64_t to_fixed(float value) const { return std::llrint(static_cast<double>(value) * scale_); }
  double to_double(std::int64_t sum) const { return static_cast<double>(sum) / scale_; }
  double scale() const { return scale_; }

 private:
  double scale_ = 1.0;
};

/// Adds a row [d] to integer sums [d].
void add_row(std::span<const float> row, const FixedPointScale& scale, std::span<std::int64_t> sums);

/// Largest magnitude in a row; NaN or infinity when it holds one.
float largest_magnitude(std::span<const float> row);

/// The exact sum of up to 2^39 finite float32 numbers: their 24-bit significands, added up by exponent.
class BinnedSum {
 public:
  void add(float value);
  /// One integer per exponent; sums over ranks are made by adding these.
  std::span<std::int64_t> bins() { return bins_; }
  /// Bins to double, from the smallest exponent up.
  double value() const;

 private:
  std::array<std::int64_t, 256> bins_{};
};

}  // namespace quasar::cluster
