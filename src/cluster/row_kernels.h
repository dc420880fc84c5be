// Internal to the module: the inner loops over one row, compiled for several instruction sets and chosen at
// run time. All give the same bits on each of them unless they say otherwise.
//
// By hand, because the sums of FAISS and BLAS depend on the processor and on how many rows they get at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quasar::cluster::kernels {

/// sums[i] += values[i] * scale, rounded to the nearest integer, halves to even. |values[i] * scale| < 2^51,
/// scale a power of two.
void add_fixed(const float* values, std::size_t n, double scale, std::int64_t* sums);

/// Largest magnitude; infinity or NaN when a value is not finite.
float largest_magnitude(const float* values, std::size_t n);

/// Sums of squares in float32.
struct RowSquares {
  float row = 0;        ///< |x|^2
  float from_mean = 0;  ///< |x - mean|^2
};
RowSquares row_squares(const float* values, const float* mean, std::size_t n);

/// Sums of squares in float32: of y = values - mean, and of what y loses when it is rounded to bfloat16. The
/// rounded y goes to `rounded` in blocks of kBlock that lie `stride` apart; of the last block only as many as
/// there are. Below the least normal float32 it is zero.
constexpr std::size_t kBlock = 32;
struct RoundedSquares {
  float row = 0;
  float lost = 0;
};
RoundedSquares round_to_bfloat16(const float* values, const float* mean, std::size_t n,
                                 std::uint16_t* rounded, std::size_t stride);

/// |x - y|^2 in float32, added up in an order of its own, the same for every instruction set. The error is at
/// most (n + 8) 2^-24 of the result, where nothing underflows.
float squared_distance(const float* x, const float* y, std::size_t n);

/// Scores of one row against n centroids, with bounds score[c] + bias[c] +- reach * margin[c].
/// The arrays are padded to a multiple of kLanes.
constexpr std::size_t kLanes = 16;
float least_upper_bound(const float* scores, const float* bias, const float* margin, float reach,
                        std::size_t n);
/// The least of the lower bounds, and the least of the rest.
struct TwoLeast {
  float first = 0;
  float second = 0;
};
TwoLeast least_lower_bounds(const float* scores, const float* bias, const float* margin, float reach,
                            std::size_t n);
/// Writes the indices whose lower bound is at most `limit`, ascending, and their lower bounds; returns how
/// many.
std::size_t below_limit(const float* scores, const float* bias, const float* margin, float reach, float limit,
                        std::size_t n, std::int32_t* found, float* lower_bounds);

}  // namespace quasar::cluster::kernels
