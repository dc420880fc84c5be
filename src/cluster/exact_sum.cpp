#include "cluster/exact_sum.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/errors.h"
#include "cluster/row_kernels.h"

namespace quasar::cluster {

FixedPointScale::FixedPointScale(double largest, std::uint64_t rows) {
  QUASAR_CHECK(std::isfinite(largest) && largest >= 0);
  // rows * largest * 2^shift must stay below 2^62, and one value below 2^50 for the rounding in add_fixed.
  int exponent = 0;
  std::frexp(std::max(largest, std::numeric_limits<double>::min()), &exponent);
  int row_bits = 0;
  while (row_bits < 62 && (std::uint64_t{1} << static_cast<unsigned>(row_bits)) < rows) ++row_bits;
  scale_ = std::ldexp(1.0, std::min({62 - row_bits - exponent, 50 - exponent, 1000}));
}

void add_row(std::span<const float> row, const FixedPointScale& scale, std::span<std::int64_t> sums) {
  kernels::add_fixed(row.data(), row.size(), scale.scale(), sums.data());
}

float largest_magnitude(std::span<const float> row) {
  return kernels::largest_magnitude(row.data(), row.size());
}

void BinnedSum::add(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t exponent = (bits >> 23U) & 0xFFU;
  // Denormal numbers have the exponent of the least normal ones and no hidden bit.
  const std::int64_t significand = (bits & 0x7FFFFFU) | (exponent == 0 ? 0U : 0x800000U);
  bins_[std::max(exponent, 1U)] += (bits >> 31U) != 0 ? -significand : significand;
}

double BinnedSum::value() const {
  double sum = 0;
  for (std::size_t exponent = 1; exponent < bins_.size(); ++exponent) {
    sum += std::ldexp(static_cast<double>(bins_[exponent]), static_cast<int>(exponent) - 150);
  }
  return sum;
}

}  // namespace quasar::cluster
