#include "cluster/hamming_kernels.h"

#include <bit>

#if defined(__x86_64__) && defined(__GNUC__)
#define QUASAR_V4 "avx512f,avx512dq,avx512vl,avx512bw,avx512vpopcntdq,popcnt"
#if defined(__clang__)  // It knows no prefer-vector-width here, and a warning of it would end the build.
#define QUASAR_TARGET_V4 __attribute__((target(QUASAR_V4), min_vector_width(512)))
#else
#define QUASAR_TARGET_V4 __attribute__((target(QUASAR_V4 ",prefer-vector-width=512")))
#endif
#define QUASAR_TARGET_V2 __attribute__((target("popcnt")))
#define QUASAR_DISPATCH 1
#endif
#define QUASAR_BODY static inline __attribute__((always_inline))

namespace quasar::cluster::kernels {
namespace {

/// Most pairs are far from each other, so that whole blocks are ruled out by their nearest.
constexpr std::size_t kBlockRows = 32;

QUASAR_BODY std::uint64_t distance(std::uint64_t first, std::uint64_t second, std::uint64_t a,
                                   std::uint64_t b) {
  return static_cast<std::uint64_t>(__builtin_popcountll(first ^ a)) +
         static_cast<std::uint64_t>(__builtin_popcountll(second ^ b));
}

QUASAR_BODY std::size_t within_distance_body(const std::uint64_t* first, const std::uint64_t* second,
                                             std::size_t n, std::uint64_t a, std::uint64_t b,
                                             std::uint64_t most, std::uint32_t* found) {
  std::size_t count = 0;
  std::size_t begin = 0;
  for (; begin + kBlockRows <= n; begin += kBlockRows) {
    std::uint64_t least = UINT64_MAX;
    for (std::size_t i = begin; i < begin + kBlockRows; ++i) {
      const std::uint64_t d = distance(first[i], second[i], a, b);
      least = d < least ? d : least;
    }
    if (least > most) continue;
    for (std::size_t i = begin; i < begin + kBlockRows; ++i) {
      if (distance(first[i], second[i], a, b) <= most) found[count++] = static_cast<std::uint32_t>(i);
    }
  }
  for (std::size_t i = begin; i < n; ++i) {
    if (distance(first[i], second[i], a, b) <= most) found[count++] = static_cast<std::uint32_t>(i);
  }
  return count;
}

using Within = std::size_t (*)(const std::uint64_t*, const std::uint64_t*, std::size_t, std::uint64_t,
                               std::uint64_t, std::uint64_t, std::uint32_t*);

std::size_t within_plain(const std::uint64_t* first, const std::uint64_t* second, std::size_t n,
                         std::uint64_t a, std::uint64_t b, std::uint64_t most, std::uint32_t* found) {
  return within_distance_body(first, second, n, a, b, most, found);
}

#if defined(QUASAR_DISPATCH)
QUASAR_TARGET_V4 std::size_t within_v4(const std::uint64_t* first, const std::uint64_t* second, std::size_t n,
                                       std::uint64_t a, std::uint64_t b, std::uint64_t most,
                                       std::uint32_t* found) {
  return within_distance_body(first, second, n, a, b, most, found);
}

QUASAR_TARGET_V2 std::size_t within_v2(const std::uint64_t* first, const std::uint64_t* second, std::size_t n,
                                       std::uint64_t a, std::uint64_t b, std::uint64_t most,
                                       std::uint32_t* found) {
  return within_distance_body(first, second, n, a, b, most, found);
}
#endif

Within choose() {
#if defined(QUASAR_DISPATCH)
  if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    return within_v4;
  if (__builtin_cpu_supports("popcnt")) return within_v2;
#endif
  return within_plain;
}

}  // namespace

std::size_t within_distance(std::span<const std::uint64_t> first, std::span<const std::uint64_t> second,
                            std::uint64_t a, std::uint64_t b, unsigned most, std::uint32_t* found) {
  static const Within within = choose();
  return within(first.data(), second.data(), first.size(), a, b, most, found);
}

}  // namespace quasar::cluster::kernels
