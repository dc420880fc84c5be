#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "image/pixel_kernels.h"
#include "image/resampler.h"

namespace quasar::image {
namespace {

/// Width and height after the resize rule.
std::pair<int, int> target_size(int width, int height, const base::InputSpec& spec) {
  const int shorter = std::min(width, height);
  if (spec.resize == base::ResizeRule::kNone) return {width, height};
  if (spec.resize == base::ResizeRule::kSquare) return {spec.size, spec.size};
  if (spec.resize == base::ResizeRule::kShorterSideAtMost && shorter <= spec.size) return {width, height};
  const int longer = static_cast<int>(static_cast<double>(spec.size) * std::max(width, height) / shorter);
  return width <= height ? std::pair(spec.size, longer) : std::pair(longer, spec.size);
}

/// What aim() says of the raster's shape, made of all of it.
Raster resampled(Raster raster, const Target& target) {
  Resampler resampler([&](const Raster&) { return target; });
  resampler.take(std::move(raster));
  return resampler.finish();
}

Raster resampled(Raster raster, int width, int height, Filter filter) {
  return resampled(std::move(raster), {width, height, {{0, width}, {0, height}}, filter});
}

Range centred(int side, int wanted) {
  const int begin = static_cast<int>(std::nearbyint((side - wanted) / 2.0));
  return {begin, begin + wanted};
}

}  // namespace

Raster resize_bicubic(Raster raster, int width, int height) {
  return resampled(std::move(raster), width, height, Filter::kBicubic);
}

Raster resize_bilinear(Raster raster, int width, int height) {
  return resampled(std::move(raster), width, height, Filter::kBilinear);
}

Raster resize_nearest(Raster raster, int width, int height) {
  return resampled(std::move(raster), width, height, Filter::kNearest);
}

RgbImage to_rgb(Raster raster) {
  RgbImage image;
  image.width = raster.width;
  image.height = raster.height;
  if (raster.channels == 3) {
    image.pixels = std::move(raster.pixels);
    return image;
  }
  const auto channels = static_cast<std::size_t>(raster.channels);
  const bool grey = raster.channels < 3;
  image.pixels.resize(static_cast<std::size_t>(raster.width) * static_cast<std::size_t>(raster.height) * 3);
  for (std::size_t i = 0; i < image.pixels.size() / 3; ++i) {
    const std::uint8_t* from = raster.pixels.data() + i * channels;
    std::uint8_t* to = image.pixels.data() + i * 3;
    const int light = raster.cmyk ? 255 - from[3] : 0;
    for (std::size_t c = 0; c < 3; ++c)
      to[c] =
          raster.cmyk ? static_cast<std::uint8_t>(light - multiply_255(from[c], light)) : from[grey ? 0 : c];
  }
  return image;
}

std::pair<int, int> fitted_size(int width, int height, const base::InputSpec& spec) {
  if (spec.fixed_shape()) return {spec.size, spec.size};
  return target_size(width, height, spec);
}

Target fit_target(const Raster& raster, int picture_width, int picture_height, const base::InputSpec& spec) {
  const auto [width, height] = target_size(picture_width, picture_height, spec);
  const Window window = spec.fixed_shape() ? Window{centred(width, spec.size), centred(height, spec.size)}
                                           : Window{{0, width}, {0, height}};
  if (raster.palette) return {width, height, window, Filter::kNearest};
  const bool bilinear = spec.filter == base::ResizeFilter::kBilinear;
  return {width, height, window, bilinear ? Filter::kBilinear : Filter::kBicubic};
}

RgbImage fit(Raster raster, const base::InputSpec& spec) {
  const Target target = fit_target(raster, raster.width, raster.height, spec);
  return to_rgb(resampled(std::move(raster), target));
}

RgbImage fit(RgbImage image, const base::InputSpec& spec) {
  return fit(Raster{image.width, image.height, 3, false, std::move(image.pixels)}, spec);
}

}  // namespace quasar::image
