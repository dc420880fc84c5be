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
using HalfFloats = float __attribute__((vector_size(8 * sizeof(float))));
using Doubles = double __attribute__((vector_size(8 * sizeof(double))));

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

QUASAR_BODY RowNorms row_norms_body(const float* values, const float* mean, std::size_t n) {
  Doubles square{};
  Doubles from_mean{};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    HalfFloats x;
    HalfFloats m;
    std::memcpy(&x, values + i, sizeof x);
    std::memcpy(&m, mean + i, sizeof m);
    const Doubles wide = __builtin_convertvector(x, Doubles);
    const Doubles difference = wide - __builtin_convertvector(m, Doubles);
    square += wide * wide;
    from_mean += difference * difference;
  }
  RowNorms norms;
  for (int lane = 0; lane < 8; ++lane) {
    norms.square += square[lane];
    norms.square_from_mean += from_mean[lane];
  }
  for (; i < n; ++i) {
    const auto wide = static_cast<double>(values[i]);
    const double difference = wide - static_cast<double>(mean[i]);
    norms.square += wide * wide;
    norms.square_from_mean += difference * difference;
  }
  return norms;
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
QUASAR_KERNEL(RowNorms, row_norms, (const float* values, const float* mean, std::size_t n), (values, mean, n))
QUASAR_KERNEL(float, least_upper_bound,
              (const float* scores, const float* bias, const float* margin, float reach, std::size_t n),
              (scores, bias, margin, reach, n))
QUASAR_KERNEL(std::size_t, below_limit,
              (const float* scores, const float* bias, const float* margin, float reach, float limit,
               std::size_t n, std::int32_t* found, float* lower_bounds),
              (scores, bias, margin, reach, limit, n, found, lower_bounds))

}  // namespace quasar::cluster::kernels
