#include "distort/distortions.h"

#include "base/errors.h"
#include "distort/codec.h"
#include "distort/colour.h"
#include "distort/noise.h"
#include "distort/spatial.h"

namespace quasar::distort {
namespace {

using Kind = DistortionKind;

RgbImage blurred(const RgbImage& image, double sigma) {
  auto planes = to_planes(image);
  for (auto& plane : planes) plane = gaussian_blurred(plane, sigma);
  return to_image(planes);
}

RgbImage shifted(const RgbImage& image, double constant) {
  auto planes = to_planes(image);
  for (auto& plane : planes) {
    for (auto& value : plane.values) value += static_cast<float>(constant);
  }
  return to_image(planes);
}

}  // namespace

RgbImage distort(const RgbImage& image, DistortionKind kind, int level, std::uint64_t seed) {
  QUASAR_CHECK(static_cast<int>(kind) >= 1 && static_cast<int>(kind) <= kDistortionKinds);
  QUASAR_CHECK(level >= 1 && level <= kDistortionLevels);
  if (image.width == 0 || image.height == 0) return image;
  const double p = info_of(kind).parameter[static_cast<std::size_t>(level - 1)];
  base::Random random(seed);
  switch (kind) {
    case Kind::kGaussianBlur:
      return blurred(image, p);
    case Kind::kLensBlur:
      return to_image(lens_blurred(to_planes(image), p));
    case Kind::kMotionBlur:
      return to_image(motion_blurred(to_planes(image), p, random));
    case Kind::kColourDiffusion:
      return to_image(colour_diffused(to_planes(image), p));
    case Kind::kColourShift:
      return to_image(colour_shifted(to_planes(image), p, random));
    case Kind::kColourQuantisation:
      return colour_quantised(image, static_cast<int>(p));
    case Kind::kSaturationHsv:
      return to_image(saturated_hsv(to_planes(image), p));
    case Kind::kSaturationLab:
      return to_image(saturated_lab(to_planes(image), p));
    case Kind::kJpeg2000:
      return jpeg2000_coded(image, p);
    case Kind::kJpeg:
      return jpeg_coded(image, static_cast<int>(p));
    case Kind::kWhiteNoise:
      return to_image(white_noise(to_planes(image), p, random));
    case Kind::kWhiteNoiseYcbcr:
      return to_image(white_noise_ycbcr(to_planes(image), p, random));
    case Kind::kImpulseNoise:
      return to_image(impulse_noise(to_planes(image), p, random));
    case Kind::kMultiplicativeNoise:
      return to_image(multiplicative_noise(to_planes(image), p, random));
    case Kind::kDenoise:
      return to_image(denoised(to_planes(image), p, random));
    case Kind::kBrighten:
      return to_image(brightness_changed(to_planes(image), p));
    case Kind::kDarken:
      return to_image(brightness_changed(to_planes(image), -p));
    case Kind::kMeanShift:
      return shifted(image, p);
    case Kind::kJitter:
      return to_image(jittered(to_planes(image), p, random));
    case Kind::kNonEccentricityPatch:
      return patches_moved(image, static_cast<int>(p), random);
    case Kind::kPixelate:
      return pixelated(image, p);
    case Kind::kQuantisation:
      return to_image(quantised(to_planes(image), static_cast<int>(p)));
    case Kind::kColourBlock:
      return colour_blocks(image, static_cast<int>(p), random);
    case Kind::kHighSharpen:
      return to_image(sharpened(to_planes(image), p));
    case Kind::kContrastChange:
      return to_image(contrast_changed(to_planes(image), p));
  }
  base::fail(base::ExitCode::kInternal, "unknown distortion");
}

}  // namespace quasar::distort
