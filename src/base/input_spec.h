// Owns the description of what an encoder wants to be fed. The encoder module states it, the image module
// obeys it; neither knows the other.
#pragma once

#include <array>
#include <string>

namespace quasar::base {

enum class ResizeRule {
  kNone,               ///< Native resolution.
  kShorterSide,        ///< The shorter side becomes `size`, the longer int(size * longer / shorter).
  kSquare,             ///< Both sides become `size`: the aspect is not kept.
  kShorterSideAtMost,  ///< As kShorterSide, but only when the shorter side is longer than `size`.
};

enum class ResizeFilter {
  kBicubic,   ///< Pillow's BICUBIC.
  kBilinear,  ///< Pillow's BILINEAR.
};

/// How pixels become the encoder's input: resize, crop, 8-bit sRGB, then (u8 / 255 - mean) / std by channel.
struct InputSpec {
  ResizeRule resize = ResizeRule::kShorterSide;
  ResizeFilter filter = ResizeFilter::kBicubic;
  int size = 224;           ///< Target of the resize, and side of the crop, in pixels.
  bool center_crop = true;  ///< Cut the size x size centre; only after kShorterSide.
  int min_side = 1;         ///< Images with a shorter side are kTooSmall for this encoder.
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};

  /// Every image of the same shape, so that batches can be made.
  bool fixed_shape() const {
    return resize == ResizeRule::kSquare || (resize == ResizeRule::kShorterSide && center_crop);
  }
};

/// Canonical one-line text of a spec, for fingerprints: equal texts mean equal preprocessing.
std::string describe(const InputSpec& spec);

}  // namespace quasar::base
