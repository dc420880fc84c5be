// Owns resampling that equals Pillow's bit for bit: antialiased bicubic and bilinear in 8-bit fixed point,
// nearest for palettes.
//
// By hand, because the encoders were trained on what Pillow makes of pictures, and libvips rounds otherwise.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/input_spec.h"
#include "image/raster.h"

namespace quasar::image {

/// 8-bit samples in the file's own layout: pixels[(y * width + x) * channels + c]. The last of 2 or 4
/// channels is alpha, not premultiplied, unless they are inks.
struct Raster {
  int width = 0;
  int height = 0;
  int channels = 0;      ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
  bool palette = false;  ///< Came from colour indices; resampled by nearest neighbour.
  std::vector<std::uint8_t> pixels;
  bool cmyk = false;  ///< The 4 channels are inks, 255 the most.

  bool has_alpha() const { return channels == 2 || (channels == 4 && !cmyk); }
};

/// Resamples as PIL.Image.resize(size, BICUBIC): coefficient -0.5, support widened when shrinking, weights in
/// 22-bit fixed point, horizontal pass first; alpha is premultiplied before and divided out after.
Raster resize_bicubic(Raster raster, int width, int height);

/// The same as PIL.Image.resize(size, BILINEAR): a triangle in the cubic's place.
Raster resize_bilinear(Raster raster, int width, int height);

/// Resamples as PIL.Image.resize(size, NEAREST).
Raster resize_nearest(Raster raster, int width, int height);

/// Width and height of what fit makes of a picture of that size.
std::pair<int, int> fitted_size(int width, int height, const base::InputSpec& spec);

/// Brings a raster to an encoder's input: resize (by nearest for palettes), centre crop with offset
/// round-half-even((side - size) / 2), conversion to RGB. What the crop leaves
/// out is not computed, so that a long strip takes little more than its own pixels.
RgbImage fit(Raster raster, const base::InputSpec& spec);
RgbImage fit(RgbImage image, const base::InputSpec& spec);

/// Grey repeated, alpha dropped; inks as PIL.Image.convert("RGB") mixes them: (255 - ink) * (255 - black) /
/// 255.
RgbImage to_rgb(Raster raster);

}  // namespace quasar::image
