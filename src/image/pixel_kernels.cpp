#include "image/pixel_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)  // It knows no such target, and a warning of it would end the build.
#define QUASAR_TARGET_V4 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"), min_vector_width(512)))
#else
#define QUASAR_TARGET_V4 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512")))
#endif
#define QUASAR_TARGET_V3 __attribute__((target("avx2")))
#define QUASAR_DISPATCH 1
#endif
#define QUASAR_BODY static inline __attribute__((always_inline))

namespace quasar::image {
namespace {

// Vectors as a language extension of GCC and Clang; each instruction set cuts them to its own width.
using Bytes = std::uint8_t __attribute__((vector_size(kStripRows)));
using Pairs = std::uint16_t __attribute__((vector_size(kStripRows)));
using FourFloats = float __attribute__((vector_size(16)));

template <typename Vector, typename Value>
QUASAR_BODY void load(const Value* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof(vector));
}

template <typename Vector, typename Value>
QUASAR_BODY void store(const Vector& vector, Value* to) {
  std::memcpy(to, &vector, sizeof(vector));
}

/// Vectors of an instruction set's own width, of which some make the lanes of a strip.
struct Portable {
  using Ints = std::int32_t __attribute__((vector_size(16)));
  using Floats = float __attribute__((vector_size(16)));
};
struct Avx2 {
  using Ints = std::int32_t __attribute__((vector_size(32)));
  using Floats = float __attribute__((vector_size(32)));
};
struct Avx512 {
  using Ints = std::int32_t __attribute__((vector_size(64)));
  using Floats = float __attribute__((vector_size(64)));
};

/// A value for each row of a strip.
template <typename Set>
struct Lanes {
  static constexpr std::size_t kEach = sizeof(typename Set::Ints) / sizeof(std::int32_t);
  static constexpr std::size_t kParts = kStripRows / kEach;
  typename Set::Ints part[kParts];
};

template <typename Set>
QUASAR_BODY void widen(const std::uint8_t* from, Lanes<Set>& lanes) {
#if defined(QUASAR_DISPATCH) && !defined(__clang__)
  // GCC 12 makes a dozen instructions of what is one.
  if constexpr (Lanes<Set>::kParts <= 2) {
    constexpr std::size_t kEach = Lanes<Set>::kEach;
    for (std::size_t i = 0; i < Lanes<Set>::kParts; ++i) {
      asm("vpmovzxbd %1, %0"
          : "=v"(lanes.part[i])
          : "m"(*reinterpret_cast<const std::uint8_t(*)[kEach]>(from + i * kEach)));
    }
    return;
  }
#endif
  if constexpr (Lanes<Set>::kParts == 4) {
    constexpr Bytes kNone{};
    constexpr Pairs kNoPairs{};
    Bytes bytes;
    load(from, bytes);
    const auto low = reinterpret_cast<Pairs>(
        __builtin_shufflevector(bytes, kNone, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    const auto high = reinterpret_cast<Pairs>(
        __builtin_shufflevector(bytes, kNone, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    using Ints = typename Set::Ints;
    lanes.part[0] = reinterpret_cast<Ints>(__builtin_shufflevector(low, kNoPairs, 0, 8, 1, 9, 2, 10, 3, 11));
    lanes.part[1] =
        reinterpret_cast<Ints>(__builtin_shufflevector(low, kNoPairs, 4, 12, 5, 13, 6, 14, 7, 15));
    lanes.part[2] = reinterpret_cast<Ints>(__builtin_shufflevector(high, kNoPairs, 0, 8, 1, 9, 2, 10, 3, 11));
    lanes.part[3] =
        reinterpret_cast<Ints>(__builtin_shufflevector(high, kNoPairs, 4, 12, 5, 13, 6, 14, 7, 15));
  } else {
    for (std::size_t r = 0; r < kStripRows; ++r)
      lanes.part[r / Lanes<Set>::kEach][r % Lanes<Set>::kEach] = from[r];
  }
}

/// The half that rounds.
template <typename Set>
QUASAR_BODY void begin_sum(Lanes<Set>& sum) {
  for (auto& part : sum.part) part = typename Set::Ints{} + (1 << (kWeightBits - 1));
}

template <typename Set>
QUASAR_BODY void add_weighted(const std::uint8_t* samples, int weight, Lanes<Set>& sum) {
  Lanes<Set> values;
  widen(samples, values);
  for (std::size_t i = 0; i < Lanes<Set>::kParts; ++i) sum.part[i] += values.part[i] * weight;
}

/// Fixed point to bytes, out of range to the nearest.
template <typename Set>
QUASAR_BODY void narrow(const Lanes<Set>& sum, std::uint8_t* to) {
  std::int32_t values[kStripRows];
  for (std::size_t i = 0; i < Lanes<Set>::kParts; ++i) {
    auto part = sum.part[i] >> kWeightBits;
    part = part < 0 ? 0 : part;
    part = part > 255 ? 255 : part;
    store(part, values + i * Lanes<Set>::kEach);
  }
  for (std::size_t r = 0; r < kStripRows; ++r) to[r] = static_cast<std::uint8_t>(values[r]);
}

// Interleaving the first half of a square's rows with the second turns the digits of an element's place,
// row and column, by one; as many times as either has digits exchanges the two.

QUASAR_BODY void transpose_square(Bytes (&rows)[kStripRows]) {
  for (int digit = 0; digit < 4; ++digit) {
    Bytes turned[kStripRows];
    for (std::size_t i = 0; i < kStripRows / 2; ++i) {
      const Bytes a = rows[i];
      const Bytes b = rows[i + kStripRows / 2];
      turned[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      turned[2 * i + 1] =
          __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (std::size_t i = 0; i < kStripRows; ++i) rows[i] = turned[i];
  }
}

QUASAR_BODY void transpose_square(FourFloats (&rows)[4]) {
  for (int digit = 0; digit < 2; ++digit) {
    FourFloats turned[4];
    for (std::size_t i = 0; i < 2; ++i) {
      turned[2 * i] = __builtin_shufflevector(rows[i], rows[i + 2], 0, 4, 1, 5);
      turned[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + 2], 2, 6, 3, 7);
    }
    for (std::size_t i = 0; i < 4; ++i) rows[i] = turned[i];
  }
}

QUASAR_BODY void to_columns_body(const std::uint8_t* const* rows, std::size_t n, std::uint8_t* columns) {
  std::size_t x = 0;
  for (; x + kStripRows <= n; x += kStripRows) {
    Bytes square[kStripRows];
    for (std::size_t r = 0; r < kStripRows; ++r) load(rows[r] + x, square[r]);
    transpose_square(square);
    for (std::size_t i = 0; i < kStripRows; ++i) store(square[i], columns + (x + i) * kStripRows);
  }
  for (; x < n; ++x) {
    for (std::size_t r = 0; r < kStripRows; ++r) columns[x * kStripRows + r] = rows[r][x];
  }
}

QUASAR_BODY void to_rows_body(const std::uint8_t* columns, std::size_t n, std::uint8_t* const* rows) {
  std::size_t x = 0;
  for (; x + kStripRows <= n; x += kStripRows) {
    Bytes square[kStripRows];
    for (std::size_t i = 0; i < kStripRows; ++i) load(columns + (x + i) * kStripRows, square[i]);
    transpose_square(square);
    for (std::size_t r = 0; r < kStripRows; ++r) store(square[r], rows[r] + x);
  }
  for (; x < n; ++x) {
    for (std::size_t r = 0; r < kStripRows; ++r) rows[r][x] = columns[x * kStripRows + r];
  }
}

template <typename Set, std::size_t kChannels>
QUASAR_BODY void resample_strip_of(const std::uint8_t* in, int begin, const AxisWeights& weights,
                                   std::uint8_t* out) {
  for (std::size_t i = 0; i < weights.outputs; ++i) {
    const int* const values = weights.values + i * weights.width;
    const std::uint8_t* sample =
        in + static_cast<std::size_t>(weights.first[i] - begin) * kChannels * kStripRows;
    Lanes<Set> sums[kChannels];
    for (auto& sum : sums) begin_sum(sum);
    for (int k = 0; k < weights.count[i]; ++k) {
      for (std::size_t c = 0; c < kChannels; ++c, sample += kStripRows)
        add_weighted(sample, values[k], sums[c]);
    }
    for (std::size_t c = 0; c < kChannels; ++c, out += kStripRows) narrow(sums[c], out);
  }
}

template <typename Set>
QUASAR_BODY void resample_strip_body(const std::uint8_t* in, int begin, const AxisWeights& weights,
                                     std::size_t channels, std::uint8_t* out) {
  switch (channels) {
    case 1:
      return resample_strip_of<Set, 1>(in, begin, weights, out);
    case 2:
      return resample_strip_of<Set, 2>(in, begin, weights, out);
    case 3:
      return resample_strip_of<Set, 3>(in, begin, weights, out);
    default:
      return resample_strip_of<Set, 4>(in, begin, weights, out);
  }
}

template <typename Set>
QUASAR_BODY void sum_rows_body(const std::uint8_t* in, std::size_t stride, const int* weights, int count,
                               std::size_t n, std::uint8_t* out) {
  constexpr int kHalf = 1 << (kWeightBits - 1);
  constexpr std::size_t kTogether = 2;
  std::size_t x = 0;
  for (; x + kTogether * kStripRows <= n; x += kTogether * kStripRows) {
    Lanes<Set> sums[kTogether];
    for (auto& sum : sums) begin_sum(sum);
    const std::uint8_t* row = in + x;
    for (int k = 0; k < count; ++k, row += stride) {
      for (std::size_t part = 0; part < kTogether; ++part)
        add_weighted(row + part * kStripRows, weights[k], sums[part]);
    }
    for (std::size_t part = 0; part < kTogether; ++part) narrow(sums[part], out + x + part * kStripRows);
  }
  for (; x < n; ++x) {
    int sum = kHalf;
    for (int k = 0; k < count; ++k) sum += in[static_cast<std::size_t>(k) * stride + x] * weights[k];
    out[x] = static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
  }
}

template <typename Set>
QUASAR_BODY void luminance_body(const std::uint8_t* columns, std::size_t pixels, std::size_t channels,
                                std::size_t green, std::size_t blue, const ColourWeights& weights,
                                float* out) {
  for (std::size_t x = 0; x < pixels; ++x, out += kStripRows) {
    const std::uint8_t* const pixel = columns + x * channels * kStripRows;
    Lanes<Set> r;
    Lanes<Set> g;
    Lanes<Set> b;
    widen(pixel, r);
    widen(pixel + green * kStripRows, g);
    widen(pixel + blue * kStripRows, b);
    using Floats = typename Set::Floats;
    for (std::size_t i = 0; i < Lanes<Set>::kParts; ++i) {
      const Floats sum = __builtin_convertvector(r.part[i], Floats) * weights.red +
                         __builtin_convertvector(g.part[i], Floats) * weights.green +
                         __builtin_convertvector(b.part[i], Floats) * weights.blue;
      store(sum, out + i * Lanes<Set>::kEach);
    }
  }
}

QUASAR_BODY void floats_to_columns_body(const float* const* rows, std::size_t n, float* columns) {
  constexpr std::size_t kSquare = 4;
  std::size_t x = 0;
  for (; x + kSquare <= n; x += kSquare) {
    for (std::size_t r = 0; r < kStripRows; r += kSquare) {
      FourFloats square[kSquare];
      for (std::size_t i = 0; i < kSquare; ++i) load(rows[r + i] + x, square[i]);
      transpose_square(square);
      for (std::size_t i = 0; i < kSquare; ++i) store(square[i], columns + (x + i) * kStripRows + r);
    }
  }
  for (; x < n; ++x) {
    for (std::size_t r = 0; r < kStripRows; ++r) columns[x * kStripRows + r] = rows[r][x];
  }
}

QUASAR_BODY void floats_to_rows_body(const float* columns, std::size_t n, float* const* rows) {
  constexpr std::size_t kSquare = 4;
  std::size_t x = 0;
  for (; x + kSquare <= n; x += kSquare) {
    for (std::size_t r = 0; r < kStripRows; r += kSquare) {
      FourFloats square[kSquare];
      for (std::size_t i = 0; i < kSquare; ++i) load(columns + (x + i) * kStripRows + r, square[i]);
      transpose_square(square);
      for (std::size_t i = 0; i < kSquare; ++i) store(square[i], rows[r + i] + x);
    }
  }
  for (; x < n; ++x) {
    for (std::size_t r = 0; r < kStripRows; ++r) rows[r][x] = columns[x * kStripRows + r];
  }
}

/// Divides by the number of values of a mean. By a power of two that is a product with its inverse, to the
/// bit.
struct Divisor {
  float number;
  float inverse;  ///< 0 for another number.

  explicit Divisor(int count)
      : number(static_cast<float>(count)), inverse((count & (count - 1)) == 0 ? 1.0F / number : 0.0F) {}
};

/// out[x] = sums[x] / divisor, after sums[x] += added[x] and sums[x] -= taken[x] where those are not null.
QUASAR_BODY void slide_row(const float* __restrict added, const float* __restrict taken, std::size_t width,
                           const Divisor& divisor, float* __restrict sums, float* __restrict out) {
  if (added != nullptr && taken != nullptr && out != nullptr && divisor.inverse != 0) {
    for (std::size_t x = 0; x < width; ++x) {
      const float sum = sums[x] + added[x] - taken[x];
      sums[x] = sum;
      out[x] = sum * divisor.inverse;
    }
    return;
  }
  if (added != nullptr) {
    for (std::size_t x = 0; x < width; ++x) sums[x] += added[x];
  }
  if (taken != nullptr) {
    for (std::size_t x = 0; x < width; ++x) sums[x] -= taken[x];
  }
  if (out == nullptr) return;
  for (std::size_t x = 0; x < width; ++x) out[x] = sums[x] / divisor.number;
}

/// slide() of any width.
QUASAR_BODY void slide_plane(const float* in, std::size_t width, int height, const SlidingMeans& means,
                             float* sums, float* out) {
  const auto row = [&](int y) {
    return y >= 0 && y < height ? in + static_cast<std::size_t>(y) * width : nullptr;
  };
  std::fill_n(sums, width, 0.0F);
  for (int y = 0; y < std::min(means.ahead - 1, height); ++y)
    slide_row(row(y), nullptr, width, Divisor(1), sums, nullptr);
  std::size_t done = 0;
  for (int y = 0; y < height && done < means.rows.size(); ++y) {
    const int next = y + means.ahead - 1;
    const bool wanted = means.rows[done] == y;
    const Divisor divisor(std::min(next + 1, height) - std::max(next + 1 - means.window, 0));
    slide_row(row(next), row(next - means.window), width, divisor, sums, wanted ? out : nullptr);
    if (!wanted) continue;
    out += width;
    ++done;
  }
}

/// slide() of a strip, kStripRows wide, whose sums stay in registers.
template <typename Set>
QUASAR_BODY void slide_strip(const float* in, int height, const SlidingMeans& means, float* out) {
  using Floats = typename Set::Floats;
  constexpr std::size_t kParts = Lanes<Set>::kParts;
  constexpr std::size_t kEach = Lanes<Set>::kEach;
  Floats sums[kParts] = {};
  Floats values;
  for (int y = 0; y < std::min(means.ahead - 1, height); ++y) {
    const float* const row = in + static_cast<std::size_t>(y) * kStripRows;
    for (std::size_t i = 0; i < kParts; ++i) {
      load(row + i * kEach, values);
      sums[i] += values;
    }
  }
  std::size_t done = 0;
  for (int y = 0; y < height && done < means.rows.size(); ++y) {
    const int next = y + means.ahead - 1;
    const int last = next - means.window;
    if (next < height) {
      const float* const row = in + static_cast<std::size_t>(next) * kStripRows;
      for (std::size_t i = 0; i < kParts; ++i) {
        load(row + i * kEach, values);
        sums[i] += values;
      }
    }
    if (last >= 0) {
      const float* const row = in + static_cast<std::size_t>(last) * kStripRows;
      for (std::size_t i = 0; i < kParts; ++i) {
        load(row + i * kEach, values);
        sums[i] -= values;
      }
    }
    if (means.rows[done] != y) continue;
    const Divisor divisor(std::min(next + 1, height) - std::max(last + 1, 0));
    for (std::size_t i = 0; i < kParts; ++i) {
      values = divisor.inverse != 0 ? sums[i] * divisor.inverse : sums[i] / divisor.number;
      store(values, out + i * kEach);
    }
    out += kStripRows;
    ++done;
  }
}

template <typename Set>
QUASAR_BODY void slide_body(const float* in, std::size_t width, int height, const SlidingMeans& means,
                            float* sums, float* out) {
  if (width == kStripRows) return slide_strip<Set>(in, height, means, out);
  slide_plane(in, width, height, means, sums, out);
}

}  // namespace

// The loops once more for an instruction set, as functions of `space`.
#define QUASAR_KERNELS(space, set, target)                                                                  \
  namespace space {                                                                                         \
  namespace {                                                                                               \
  target void to_columns(const std::uint8_t* const* rows, std::size_t n, std::uint8_t* columns) {           \
    to_columns_body(rows, n, columns);                                                                      \
  }                                                                                                         \
  target void to_rows(const std::uint8_t* columns, std::size_t n, std::uint8_t* const* rows) {              \
    to_rows_body(columns, n, rows);                                                                         \
  }                                                                                                         \
  target void resample_strip(const std::uint8_t* in, int begin, const AxisWeights& weights,                 \
                             std::size_t channels, std::uint8_t* out) {                                     \
    resample_strip_body<set>(in, begin, weights, channels, out);                                            \
  }                                                                                                         \
  target void sum_rows(const std::uint8_t* in, std::size_t stride, const int* weights, int count,           \
                       std::size_t n, std::uint8_t* out) {                                                  \
    sum_rows_body<set>(in, stride, weights, count, n, out);                                                 \
  }                                                                                                         \
  target void luminance(const std::uint8_t* columns, std::size_t pixels, std::size_t channels,              \
                        std::size_t green, std::size_t blue, const ColourWeights& weights, float* out) {    \
    luminance_body<set>(columns, pixels, channels, green, blue, weights, out);                              \
  }                                                                                                         \
  target void floats_to_columns(const float* const* rows, std::size_t n, float* columns) {                  \
    floats_to_columns_body(rows, n, columns);                                                               \
  }                                                                                                         \
  target void floats_to_rows(const float* columns, std::size_t n, float* const* rows) {                     \
    floats_to_rows_body(columns, n, rows);                                                                  \
  }                                                                                                         \
  target void slide(const float* in, std::size_t width, int height, const SlidingMeans& means, float* sums, \
                    float* out) {                                                                           \
    slide_body<set>(in, width, height, means, sums, out);                                                   \
  }                                                                                                         \
  }                                                                                                         \
  }

#define QUASAR_TABLE(name, space)                                                                      \
  {                                                                                                    \
    name, space::to_columns, space::to_rows, space::resample_strip, space::sum_rows, space::luminance, \
        space::floats_to_columns, space::floats_to_rows, space::slide                                  \
  }

QUASAR_KERNELS(portable, Portable, )
#if defined(QUASAR_DISPATCH)
QUASAR_KERNELS(v3, Avx2, QUASAR_TARGET_V3)
QUASAR_KERNELS(v4, Avx512, QUASAR_TARGET_V4)
#endif

std::span<const PixelKernels> runnable_kernels() {
  static const std::vector<PixelKernels> tables = [] {
    std::vector<PixelKernels> found;
#if defined(QUASAR_DISPATCH)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
      found.push_back(QUASAR_TABLE("AVX-512", v4));
    if (__builtin_cpu_supports("avx2")) found.push_back(QUASAR_TABLE("AVX2", v3));
#endif
    found.push_back(QUASAR_TABLE("portable", portable));
    return found;
  }();
  return tables;
}

}  // namespace quasar::image
