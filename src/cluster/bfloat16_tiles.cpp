#include "cluster/bfloat16_tiles.h"

#include <cstring>
#include <vector>

#include "base/errors.h"

#if defined(__x86_64__) && defined(__linux__) && __has_include(<amxbf16intrin.h>)
#define QUASAR_TILES 1
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace quasar::cluster::tiles {
namespace {

using kernels::kBlock;
constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileValues = kTileRows * kBlock;

constexpr std::size_t tiles_along(std::size_t d) {
  return (d + kBlock - 1) / kBlock;
}

}  // namespace

kernels::RoundedSquares pack_row(const float* values, const float* mean, std::size_t d, std::size_t row,
                                 std::uint16_t* packed) {
  std::uint16_t* const first = packed + row / kTileRows * tiles_along(d) * kTileValues;
  return kernels::round_to_bfloat16(values, mean, d, first + row % kTileRows * kBlock, kTileValues);
}

kernels::RoundedSquares pack_centroid(const float* centroid, std::size_t d, std::size_t index,
                                      std::uint16_t* packed) {
  const std::vector<float> zero(d, 0);
  std::vector<std::uint16_t> rounded(d);
  const auto squares = kernels::round_to_bfloat16(centroid, zero.data(), d, rounded.data(), kBlock);
  std::uint16_t* const first = packed + index / kTileRows * tiles_along(d) * kTileValues;
  const std::size_t column = index % kTileRows;
  for (std::size_t j = 0; j < d; ++j) {
    first[j / kBlock * kTileValues + (j % kBlock / 2 * kTileRows + column) * 2 + j % 2] = rounded[j];
  }
  return squares;
}

#ifdef QUASAR_TILES

#define QUASAR_TARGET_TILES __attribute__((target("amx-tile,amx-bf16")))
#define QUASAR_TARGET_VECTORS __attribute__((target("avx512f,avx512bf16")))

namespace {

/// Layout of the tile registers, as LDTILECFG reads it.
struct alignas(64) TileLayout {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

bool find_matrix_unit() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kAmxBfloat16 = 1U << 22U;
  constexpr unsigned kAmxTile = 1U << 24U;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmxBfloat16) == 0 || (d & kAmxTile) == 0) {
    return false;
  }
  // Linux gives a process the large registers only when asked (Documentation/x86/xstate).
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_matrix_unit() {
  static const bool found = find_matrix_unit();
  return found;
}

bool has_vector_products() {
  static const bool found = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
  return found;
}

/// By vectors: a pair of a row's values, in all lanes, times the same pair of 16 centroids, which lie side by
/// side in a centroid tile. kStrip rows by two tiles of centroids fill half of the registers with sums, so
/// that a sum waits for no other.
QUASAR_TARGET_VECTORS void multiply_by_vectors(const std::uint16_t* rows, std::size_t n,
                                               const std::uint16_t* centroids, std::size_t m, std::size_t d,
                                               float* scores) {
  constexpr std::size_t kStrip = 8;
  const std::size_t along = tiles_along(d);
  const std::size_t columns = (m + kRows - 1) / kRows * kRows;
  const std::size_t all_rows = (n + kRows - 1) / kRows * kRows;
  for (std::size_t c = 0; c < m; c += kRows) {
    const std::uint16_t* const left = centroids + c / kTileRows * along * kTileValues;
    const std::uint16_t* const right = left + along * kTileValues;
    for (std::size_t i = 0; i < all_rows; i += kStrip) {
      const std::uint16_t* const strip = rows + i / kTileRows * along * kTileValues + i % kTileRows * kBlock;
      __m512 sums[kStrip][2];
      for (auto& pair : sums) pair[0] = pair[1] = _mm512_setzero_ps();
      for (std::size_t t = 0; t < along * kTileValues; t += kTileValues) {
        for (std::size_t p = 0; p < kBlock / 2; ++p) {
          const auto b0 = (__m512bh)_mm512_loadu_si512(left + t + p * kBlock);
          const auto b1 = (__m512bh)_mm512_loadu_si512(right + t + p * kBlock);
#pragma GCC unroll 8
          for (std::size_t r = 0; r < kStrip; ++r) {
            std::int32_t pair = 0;
            std::memcpy(&pair, strip + t + r * kBlock + 2 * p, sizeof pair);
            const auto a = (__m512bh)_mm512_set1_epi32(pair);
            sums[r][0] = _mm512_dpbf16_ps(sums[r][0], a, b0);
            sums[r][1] = _mm512_dpbf16_ps(sums[r][1], a, b1);
          }
        }
      }
      for (std::size_t r = 0; r < kStrip; ++r) {
        float* const to = scores + (i + r) * columns + c;
        _mm512_storeu_ps(to, sums[r][0]);
        _mm512_storeu_ps(to + kTileRows, sums[r][1]);
      }
    }
  }
}

QUASAR_TARGET_TILES void multiply_by_matrix_unit(const std::uint16_t* rows, std::size_t n,
                                                 const std::uint16_t* centroids, std::size_t m, std::size_t d,
                                                 float* scores) {
  static const TileLayout layout;
  _tile_loadconfig(&layout);
  const std::size_t along = tiles_along(d);
  const std::size_t columns = (m + kRows - 1) / kRows * kRows;
  // Two by two tiles of scores; each operand tile is used twice.
  for (std::size_t i = 0; i < n; i += kRows) {
    const std::uint16_t* upper = rows + i / kTileRows * along * kTileValues;
    const std::uint16_t* lower = upper + along * kTileValues;
    for (std::size_t c = 0; c < m; c += kRows) {
      const std::uint16_t* left = centroids + c / kTileRows * along * kTileValues;
      const std::uint16_t* right = left + along * kTileValues;
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (std::size_t t = 0; t < along * kTileValues; t += kTileValues) {
        _tile_loadd(4, upper + t, 64);
        _tile_loadd(6, left + t, 64);
        _tile_loadd(7, right + t, 64);
        _tile_loadd(5, lower + t, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      float* const to = scores + i * columns + c;
      const std::size_t stride = columns * sizeof(float);
      _tile_stored(0, to, stride);
      _tile_stored(1, to + kTileRows, stride);
      _tile_stored(2, to + kTileRows * columns, stride);
      _tile_stored(3, to + kTileRows * columns + kTileRows, stride);
    }
  }
  _tile_release();
}

}  // namespace

bool supported() {
  return has_matrix_unit() || has_vector_products();
}

void multiply(const std::uint16_t* rows, std::size_t n, const std::uint16_t* centroids, std::size_t m,
              std::size_t d, float* scores) {
  if (has_matrix_unit()) return multiply_by_matrix_unit(rows, n, centroids, m, d, scores);
  multiply_by_vectors(rows, n, centroids, m, d, scores);
}

#else

bool supported() {
  return false;
}

void multiply(const std::uint16_t*, std::size_t, const std::uint16_t*, std::size_t, std::size_t, float*) {
  QUASAR_CHECK(false);
}

#endif

}  // namespace quasar::cluster::tiles
