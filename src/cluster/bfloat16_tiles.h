// Internal to the module: products of rows with centroids in bfloat16 by the processor's matrix unit (Intel
// AMX), many times the rate of float32 products, or by its vectors (AVX512_BF16), twice that rate, and how
// far they can lie from exact ones.
//
// Operands are packed into tiles of 16 rows by 32 values, one behind the other: all tiles of the first 16
// rows, then those of the next. Places beyond the last row or value must be zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cluster/row_kernels.h"

namespace quasar::cluster::tiles {

constexpr std::size_t kRows = 32;  ///< Rows, and centroids, that a product takes a multiple of.

/// Whether this machine has either, and lets this process use it.
bool supported();

/// Values in packed rows [n, d].
constexpr std::size_t packed_size(std::size_t n, std::size_t d) {
  return (n + kRows - 1) / kRows * kRows * ((d + kernels::kBlock - 1) / kernels::kBlock * kernels::kBlock);
}

/// Packs values [d] less mean [d] as row number `row`, rounded to bfloat16.
kernels::RoundedSquares pack_row(const float* values, const float* mean, std::size_t d, std::size_t row,
                                 std::uint16_t* packed);
/// Packs a centroid [d], number `index`: pairs of values beside those of the next centroid, as both want
/// their second operand.
kernels::RoundedSquares pack_centroid(const float* centroid, std::size_t d, std::size_t index,
                                      std::uint16_t* packed);

/// scores [n, m] = rows [n, d] * centroids [m, d]^T, n and m rounded up to multiples of kRows. Sums are made
/// in float32; numbers below the least normal one count as zero. Needs supported().
void multiply(const std::uint16_t* rows, std::size_t n, const std::uint16_t* centroids, std::size_t m,
              std::size_t d, float* scores);

}  // namespace quasar::cluster::tiles
