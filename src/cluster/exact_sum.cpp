#include "cluster/exact_sum.h"

#include <limits>

#include "base/errors.h"

namespace quasar::cluster {

FixedPointScale::FixedPointScale(double largest, std::uint64_t rows) {
  QUASAR_CHECK(std::isfinite(largest) && largest >= 0);
  // rows * largest * 2^shift must stay below 2^62.
  int exponent = 0;
  std::frexp(std::max(largest, std::numeric_limits<double>::min()), &exponent);
  int row_bits = 0;
  while (row_bits < 62 && (std::uint64_t{1} << static_cast<unsigned>(row_bits)) < rows) ++row_bits;
  scale_ = std::ldexp(1.0, std::min(62 - row_bits - exponent, 1000));
}

void add_row(std::span<const float> row, const FixedPointScale& scale, std::span<std::int64_t> sums) {
  for (std::size_t i = 0; i < row.size(); ++i) sums[i] += scale.to_fixed(row[i]);
}

float largest_magnitude(std::span<const float> row) {
  float largest = 0;
  for (const float value : row) {
    const float magnitude = std::fabs(value);
    if (!std::isfinite(magnitude)) return magnitude;
    largest = std::max(largest, magnitude);
  }
  return largest;
}

}  // namespace quasar::cluster
