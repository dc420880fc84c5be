// Owns PDQ, the perceptual hash of Facebook's ThreatExchange (Davis, Rosen 2019): 256 bits of the signs of
// low frequencies, near in Hamming distance for pictures that look alike, and how much there is to hash.
//
// By hand, because no package has it; on equal pixels its bits are those of the authors' C++.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/resize.h"
#include "image/row_sink.h"

namespace quasar::image {

/// A hash with its quality.
struct PdqHash {
  /// Word i holds the bits of frequency i + 1 along the columns, bit j of it frequency j + 1 along the rows.
  std::array<std::uint16_t, 16> words{};
  int quality = 0;  ///< 0 to 100: sum of gradients. Below 50 a picture is too flat for its hash to say much.

  /// 64 hexadecimal digits, word 15 first.
  std::string hex() const;
  friend bool operator==(const PdqHash&, const PdqHash&) = default;
};

/// Number of bits in which two hashes differ. Pictures are taken as alike up to 31.
int hamming_distance(const PdqHash& a, const PdqHash& b);

/// The turns and mirrored forms of a picture, in this order.
enum class PdqPose { kUpright, kRotate90, kRotate180, kRotate270, kFlipX, kFlipY, kFlipPlus1, kFlipMinus1 };
inline constexpr std::size_t kPdqPoses = 8;

/// Of pixels [height, width, channels], 8-bit, channels 1 (grey) or 3 (RGB). A picture of less than five
/// pixels a side, once it is thinned out, has hash 0 and quality 0. Throws Error(kInternal) for another
/// number of channels or bytes.
PdqHash pdq_hash(std::span<const std::uint8_t> pixels, int width, int height, int channels);

/// The hashes of all poses, from the frequencies of the upright one; the first is pdq_hash(). All have its
/// quality.
std::array<PdqHash, kPdqPoses> pdq_hashes(std::span<const std::uint8_t> pixels, int width, int height,
                                          int channels);

/// Of a picture in its file's own layout, whose rows come from the top: the hashes of what to_rgb() makes of
/// it. Keeps the pixels that are looked at, 512 x 512 at most.
class PdqRows final : public RowSink {
 public:
  /// `own_grey`: of a picture of one channel the luminance is that channel, as in the authors' code, not what
  /// to_rgb() makes of it.
  explicit PdqRows(bool own_grey = false) : own_grey_(own_grey) {}

  void begin(const Raster& shape) override;
  void rows(const std::uint8_t* const* rows, int count) override;
  /// Once all rows have come. `poses`: 1 for the upright one alone, or kPdqPoses.
  std::vector<PdqHash> hashes(std::size_t poses) const;

 private:
  bool own_grey_;
  bool too_small_ = true;
  bool thinned_ = false;
  int height_ = 0;
  int next_ = 0;
  int kept_rows_ = 0;
  Raster kept_;
  std::vector<std::size_t> columns_;
};

}  // namespace quasar::image
