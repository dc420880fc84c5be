// Internal to the module: float planes and colour spaces that the distortions work in.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/random.h"
#include "image/raster.h"

namespace quasar::distort {

using image::RgbImage;

/// One channel, row by row.
struct Plane {
  int width = 0;
  int height = 0;
  std::vector<float> values;

  Plane() = default;
  Plane(int w, int h)
      : width(w), height(h), values(static_cast<std::size_t>(w) * static_cast<std::size_t>(h)) {}
  float* row(int y) { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
  const float* row(int y) const { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
};

/// R, G, B in 0..1; or L*, a*, b*.
using Planes = std::array<Plane, 3>;

Planes to_planes(const RgbImage& image);
/// Clips to 0..1 and rounds.
RgbImage to_image(const Planes& planes);

/// sRGB (D65) to CIELAB and back (IEC 61966-2-1; CIE 15). L* in 0..100.
Planes lab_from_rgb(const Planes& rgb);
Planes rgb_from_lab(const Planes& lab);

/// Mirror of a coordinate at the border: -1 -> 0, -2 -> 1 (MATLAB's 'symmetric').
inline int mirrored(int at, int size) {
  const int period = 2 * size;
  int folded = at % period;
  if (folded < 0) folded += period;
  return folded < size ? folded : period - 1 - folded;
}

/// Normalised Gaussian of 2 * ceil(2 sigma) + 1 taps, applied along rows and columns.
Plane gaussian_blurred(const Plane& plane, double sigma);
/// Mean over (2 radius + 1)^2 windows.
Plane box_blurred(const Plane& plane, int radius);
/// Any kernel of odd side; taps of 0 cost nothing.
Plane filtered(const Plane& plane, std::span<const float> kernel, int side);
/// The value between pixels, coordinates held inside.
float bilinear(const Plane& plane, float x, float y);

}  // namespace quasar::distort
