#include "cluster/row_kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#if defined(__x86_64__) && defined(__GNUC__)
#define QUASAR_TARGET_V4 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw")))
#define QUASAR_TARGET_V3 __attribute__((target("avx2")))
#define QUASAR_DISPATCH 1
#endif
#define QUASAR_BODY static inline __attribute__((always_inline))

namespace quasar::cluster::kernels {
namespace {

// Vectors as a language extension of GCC and Clang; each instruction set cuts them to its own width.
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Masks = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

QUASAR_BODY void add_fixed_body(const float* values, std::size_t n, double scale, std::int64_t* sums) {
  // Adding 1.5 * 2^52 leaves the rounded integer in the low bits of the double.
  constexpr double kMagic = 6755399441055744.0;
  constexpr auto kMagicBits = std::bit_cast<std::int64_t>(kMagic);
  for (std::size_t i = 0; i < n; ++i) {
    sums[i] += std::bit_cast<std::int64_t>(static_cast<double>(values[i]) * scale + kMagic) - kMagicBits;
  }
}

QUASAR_BODY float largest_magnitude_body(const float* values, std::size_t n) {
  // Bit patterns of magnitudes are ordered as the values are, with infinity and NaN above all others.
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(values[i]) & 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return std::bit_cast<float>(largest);
}

QUASAR_BODY float sum_of(const float (&lanes)[kBlock]) {
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

QUASAR_BODY RowSquares row_squares_body(const float* values, const float* mean, std::size_t n) {
  float square[kBlock] = {};
  float from_mean[kBlock] = {};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const float difference = values[i + lane] - mean[i + lane];
    square[lane] += values[i + lane] * values[i + lane];
    from_mean[lane] += difference * difference;
  };
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (std::size_t lane = 0; lane < kBlock; ++lane) add(i, lane);
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) add(i, lane);
  return {sum_of(square), sum_of(from_mean)};
}

/// To nearest, ties to even, as a float32.
QUASAR_BODY std::uint32_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool normal = (bits & 0x7FFFFFFFU) >= 0x00800000U;
  return normal ? (bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U : 0U;
}

QUASAR_BODY RoundedSquares round_to_bfloat16_body(const float* values, const float* mean, std::size_t n,
                                                  std::uint16_t* rounded, std::size_t stride) {
  float square[kBlock] = {};
  float lost[kBlock] = {};
  const auto round_one = [&](std::size_t from, std::size_t lane, std::uint16_t* to) {
    const float y = values[from + lane] - mean[from + lane];
    const std::uint32_t bits = bfloat16_bits(y);
    to[lane] = static_cast<std::uint16_t>(bits >> 16U);
    const float difference = y - std::bit_cast<float>(bits);
    square[lane] += y * y;
    lost[lane] += difference * difference;
  };
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock, rounded += stride) {
    for (std::size_t lane = 0; lane < kBlock; ++lane) round_one(i, lane, rounded);
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) round_one(i, lane, rounded);
  return {sum_of(square), sum_of(lost)};
}

QUASAR_BODY float squared_distance_body(const float* x, const float* y, std::size_t n) {
  // Four sums, as an addition takes as long as four can start in.
  constexpr std::size_t kSums = 4;
  Floats sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums * kLanes <= n; i += kSums * kLanes) {
    for (std::size_t s = 0; s < kSums; ++s) {
      Floats a;
      Floats b;
      std::memcpy(&a, x + i + s * kLanes, sizeof a);
      std::memcpy(&b, y + i + s * kLanes, sizeof b);
      const Floats difference = a - b;
      sums[s] += difference * difference;
    }
  }
  const Floats joined = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float sum = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += joined[lane];
  for (; i < n; ++i) {
    const float difference = x[i] - y[i];
    sum += difference * difference;
  }
  return sum;
}

QUASAR_BODY float least_upper_bound_body(const float* scores, const float* bias, const float* margin,
                                         float reach, std::size_t n) {
  Floats least{};
  least += std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < n; i += kLanes) {
    Floats s;
    Floats b;
    Floats m;
    std::memcpy(&s, scores + i, sizeof s);
    std::memcpy(&b, bias + i, sizeof b);
    std::memcpy(&m, margin + i, sizeof m);
    const Floats upper = s + b + m * reach;
    least = upper < least ? upper : least;
  }
  float result = least[0];
  for (std::size_t lane = 1; lane < kLanes; ++lane) result = least[lane] < result ? least[lane] : result;
  return result;
}

QUASAR_BODY TwoLeast least_lower_bounds_body(const float* scores, const float* bias, const float* margin,
                                             float reach, std::size_t n) {
  Floats first{};
  first += std::numeric_limits<float>::max();
  Floats second = first;
  for (std::size_t i = 0; i < n; i += kLanes) {
    Floats s;
    Floats b;
    Floats m;
    std::memcpy(&s, scores + i, sizeof s);
    std::memcpy(&b, bias + i, sizeof b);
    std::memcpy(&m, margin + i, sizeof m);
    const Floats lower = s + b - m * reach;
    const Floats higher = lower > first ? lower : first;
    second = higher < second ? higher : second;
    first = lower < first ? lower : first;
  }
  TwoLeast result{first[0], second[0]};
  for (std::size_t lane = 1; lane < kLanes; ++lane) {
    const float higher = first[lane] > result.first ? first[lane] : result.first;
    result.second = second[lane] < result.second ? second[lane] : result.second;
    result.second = higher < result.second ? higher : result.second;
    result.first = first[lane] < result.first ? first[lane] : result.first;
  }
  return result;
}

QUASAR_BODY std::size_t below_limit_body(const float* scores, const float* bias, const float* margin,
                                         float reach, float limit, std::size_t n, std::int32_t* found,
                                         float* lower_bounds) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; i += kLanes) {
    Floats s;
    Floats b;
    Floats m;
    std::memcpy(&s, scores + i, sizeof s);
    std::memcpy(&b, bias + i, sizeof b);
    std::memcpy(&m, margin + i, sizeof m);
    const Floats lower = s + b - m * reach;
    const Masks below = lower <= limit;
    std::int64_t words[kLanes / 2];
    std::memcpy(words, &below, sizeof words);
    std::int64_t any = 0;
    for (const std::int64_t word : words) any |= word;
    if (any == 0) continue;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      if (below[lane] == 0) continue;
      lower_bounds[count] = lower[lane];
      found[count++] = static_cast<std::int32_t>(i + lane);
    }
  }
  return count;
}

}  // namespace

#ifdef QUASAR_DISPATCH
namespace {

/// Widest instruction set of this machine that the loops are compiled for: 4, 3 or 1 (x86-64-vN).
int machine_level() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    return 4;
  }
  return __builtin_cpu_supports("avx2") ? 3 : 1;
}

const int kLevel = machine_level();

}  // namespace

#define QUASAR_KERNEL(result, name, parameters, arguments) \
  namespace {                                              \
  QUASAR_TARGET_V4 result name##_v4 parameters {           \
    return name##_body arguments;                          \
  }                                                        \
  QUASAR_TARGET_V3 result name##_v3 parameters {           \
    return name##_body arguments;                          \
  }                                                        \
  }                                                        \
  result name parameters {                                 \
    if (kLevel == 4) return name##_v4 arguments;           \
    if (kLevel == 3) return name##_v3 arguments;           \
    return name##_body arguments;                          \
  }
#else
#define QUASAR_KERNEL(result, name, parameters, arguments) \
  result name parameters {                                 \
    return name##_body arguments;                          \
  }
#endif

QUASAR_KERNEL(void, add_fixed, (const float* values, std::size_t n, double scale, std::int64_t* sums),
              (values, n, scale, sums))
QUASAR_KERNEL(float, largest_magnitude, (const float* values, std::size_t n), (values, n))
QUASAR_KERNEL(RowSquares, row_squares, (const float* values, const float* mean, std::size_t n),
              (values, mean, n))
QUASAR_KERNEL(RoundedSquares, round_to_bfloat16,
              (const float* values, const float* mean, std::size_t n, std::uint16_t* rounded,
               std::size_t stride),
              (values, mean, n, rounded, stride))
QUASAR_KERNEL(float, squared_distance, (const float* x, const float* y, std::size_t n), (x, y, n))
QUASAR_KERNEL(float, least_upper_bound,
              (const float* scores, const float* bias, const float* margin, float reach, std::size_t n),
              (scores, bias, margin, reach, n))
QUASAR_KERNEL(TwoLeast, least_lower_bounds,
              (const float* scores, const float* bias, const float* margin, float reach, std::size_t n),
              (scores, bias, margin, reach, n))
QUASAR_KERNEL(std::size_t, below_limit,
              (const float* scores, const float* bias, const float* margin, float reach, float limit,
               std::size_t n, std::int32_t* found, float* lower_bounds),
              (scores, bias, margin, reach, limit, n, found, lower_bounds))

}  // namespace quasar::cluster::kernels
