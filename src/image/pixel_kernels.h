// Internal to the module: the inner loops over pixels, compiled for several instruction sets and chosen at
// run time. All give the same bits on each of them: integers, and floats whose operations keep their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quasar::image {

/// Rows that are worked on side by side: their bytes are the lanes of vectors.
constexpr std::size_t kStripRows = 16;

/// Fractional bits of resampling weights: 32, less the 8 of a sample and 2 for sums that overshoot.
constexpr int kWeightBits = 32 - 8 - 2;

/// a * b / 255, rounded as Pillow's MULDIV255.
constexpr std::uint8_t multiply_255(int a, int b) {
  const int product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

/// Weights of the samples of one axis.
struct AxisWeights {
  const int* first;   ///< [outputs] Place of the first input sample of each.
  const int* count;   ///< [outputs] How many.
  const int* values;  ///< [outputs, width] In kWeightBits fixed point.
  std::size_t width;
  std::size_t outputs;
};

/// Shares of red, green and blue in a sum.
struct ColourWeights {
  float red;
  float green;
  float blue;
};

/// The means of a window that slides down the rows of a plane of float32. `ahead` is the number of values
/// that a mean reaches ahead, itself included. Sums run: a value is added, then one is taken away.
struct SlidingMeans {
  int window;
  int ahead;
  std::span<const int> rows;  ///< Those that are wanted, ascending.
};

struct PixelKernels {
  const char* name;  ///< "AVX-512", "AVX2" or "portable".

  /// columns[x * kStripRows + r] = rows[r][x], x < n.
  void (*to_columns)(const std::uint8_t* const* rows, std::size_t n, std::uint8_t* columns);
  /// rows[r][x] = columns[x * kStripRows + r], x < n.
  void (*to_rows)(const std::uint8_t* columns, std::size_t n, std::uint8_t* const* rows);
  /// Resamples a strip, given and wanted as to_columns makes it, along its rows: pixels of 1 to 4 channels.
  /// The first pixel of `in` is the picture's pixel `begin`.
  void (*resample_strip)(const std::uint8_t* in, int begin, const AxisWeights& weights, std::size_t channels,
                         std::uint8_t* out);
  /// One output row of n samples: the sum of `count` rows, `stride` apart, by their weights.
  void (*sum_rows)(const std::uint8_t* in, std::size_t stride, const int* weights, int count, std::size_t n,
                   std::uint8_t* out);
  /// Luminance of the pixels of a strip as to_columns makes it, in the same order: out[x * kStripRows + r],
  /// the products added from red to blue. `green` and `blue` are the bytes from red to them.
  void (*luminance)(const std::uint8_t* columns, std::size_t pixels, std::size_t channels, std::size_t green,
                    std::size_t blue, const ColourWeights& weights, float* out);
  /// As to_columns and to_rows.
  void (*floats_to_columns)(const float* const* rows, std::size_t n, float* columns);
  void (*floats_to_rows)(const float* columns, std::size_t n, float* const* rows);
  /// out[i, x]: the mean around [means.rows[i], x], over fewer values at the ends. `sums` has room for a row.
  void (*slide)(const float* in, std::size_t width, int height, const SlidingMeans& means, float* sums,
                float* out);
};

/// Those that this machine can run, the fastest first; the portable ones are always there.
std::span<const PixelKernels> runnable_kernels();

/// The fastest.
inline const PixelKernels& kernels() {
  static const PixelKernels& fastest = runnable_kernels().front();
  return fastest;
}

}  // namespace quasar::image
