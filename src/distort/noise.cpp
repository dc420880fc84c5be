#include "distort/noise.h"

#include <algorithm>
#include <cmath>

namespace quasar::distort {
namespace {

void add_noise(Plane& plane, double variance, base::Random& random) {
  const double deviation = std::sqrt(variance);
  for (auto& value : plane.values) value += static_cast<float>(deviation * random.normal());
}

/// Guided filter with the plane as its own guide (He, Sun, Tang 2013).
Plane guided(const Plane& plane, int radius, float regularisation) {
  Plane square = plane;
  for (auto& value : square.values) value *= value;
  const Plane mean = box_blurred(plane, radius);
  const Plane mean_square = box_blurred(square, radius);
  Plane slope(plane.width, plane.height);
  Plane intercept(plane.width, plane.height);
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    const float variance = std::max(0.0F, mean_square.values[i] - mean.values[i] * mean.values[i]);
    slope.values[i] = variance / (variance + regularisation);
    intercept.values[i] = (1 - slope.values[i]) * mean.values[i];
  }
  const Plane mean_slope = box_blurred(slope, radius);
  Plane result = box_blurred(intercept, radius);
  for (std::size_t i = 0; i < plane.values.size(); ++i)
    result.values[i] += mean_slope.values[i] * plane.values[i];
  return result;
}

}  // namespace

Planes white_noise(const Planes& rgb, double variance, base::Random& random) {
  Planes result = rgb;
  for (auto& plane : result) add_noise(plane, variance, random);
  return result;
}

Planes white_noise_ycbcr(const Planes& rgb, double variance, base::Random& random) {
  // ITU-R BT.601, full range; the noise passes through the inverse transform.
  Planes result = rgb;
  const double deviation = std::sqrt(variance);
  for (std::size_t i = 0; i < rgb[0].values.size(); ++i) {
    const auto y = static_cast<float>(deviation * random.normal());
    const auto cb = static_cast<float>(deviation * random.normal());
    const auto cr = static_cast<float>(deviation * random.normal());
    result[0].values[i] += y + 1.402F * cr;
    result[1].values[i] += y - 0.344136F * cb - 0.714136F * cr;
    result[2].values[i] += y + 1.772F * cb;
  }
  return result;
}

Planes impulse_noise(const Planes& rgb, double share, base::Random& random) {
  Planes result = rgb;
  for (auto& plane : result) {
    for (auto& value : plane.values) {
      const double draw = random.uniform();
      if (draw < share) value = draw < share / 2 ? 0.0F : 1.0F;
    }
  }
  return result;
}

Planes multiplicative_noise(const Planes& rgb, double variance, base::Random& random) {
  // Uniform noise of this variance, as MATLAB's "speckle".
  const double reach = std::sqrt(12 * variance);
  Planes result = rgb;
  for (auto& plane : result) {
    for (auto& value : plane.values) value += value * static_cast<float>(reach * (random.uniform() - 0.5));
  }
  return result;
}

Planes denoised(const Planes& rgb, double variance, base::Random& random) {
  constexpr int kRadius = 2;
  constexpr float kStrength = 4;
  Planes result = white_noise(rgb, variance, random);
  for (auto& plane : result) {
    for (auto& value : plane.values) value = std::clamp(value, 0.0F, 1.0F);
    plane = guided(plane, kRadius, kStrength * static_cast<float>(variance));
  }
  return result;
}

}  // namespace quasar::distort
