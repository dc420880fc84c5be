#include "distort/similarity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/errors.h"

namespace quasar::distort {

using image::RgbImage;

namespace {

// Constants of the paper, for samples in 0..255.
constexpr double kGradientOwn = 140;
constexpr double kGradientFused = 55;
constexpr double kChromaticity = 550;
constexpr double kGradientShare = 0.6;

struct Plane {
  int width = 0;
  int height = 0;
  std::vector<float> values;

  float at(int x, int y) const {
    // Zero outside, as the authors' filter2 does.
    if (x < 0 || y < 0 || x >= width || y >= height) return 0;
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
};

/// Luminance and the two chromaticity channels (eqs. 1, 6), averaged over factor x factor blocks.
struct Channels {
  Plane luminance;
  Plane h;
  Plane m;
};

Channels channels_of(const RgbImage& image, int factor) {
  Channels channels;
  for (Plane* plane : {&channels.luminance, &channels.h, &channels.m}) {
    plane->width = image.width / factor;
    plane->height = image.height / factor;
    plane->values.resize(static_cast<std::size_t>(plane->width) * static_cast<std::size_t>(plane->height));
  }
  const double scale = 1.0 / (static_cast<double>(factor) * factor);
  for (int y = 0; y < channels.h.height; ++y) {
    for (int x = 0; x < channels.h.width; ++x) {
      double rgb[3] = {0, 0, 0};
      for (int j = 0; j < factor; ++j) {
        for (int i = 0; i < factor; ++i) {
          const auto pixel =
              (static_cast<std::size_t>(y * factor + j) * static_cast<std::size_t>(image.width) +
               static_cast<std::size_t>(x * factor + i)) *
              3;
          for (std::size_t c = 0; c < 3; ++c) rgb[c] += image.pixels[pixel + c];
        }
      }
      for (double& value : rgb) value *= scale;
      const auto at = static_cast<std::size_t>(y) * static_cast<std::size_t>(channels.h.width) +
                      static_cast<std::size_t>(x);
      channels.luminance.values[at] = static_cast<float>(0.2989 * rgb[0] + 0.5870 * rgb[1] + 0.1140 * rgb[2]);
      channels.h.values[at] = static_cast<float>(0.30 * rgb[0] + 0.04 * rgb[1] - 0.35 * rgb[2]);
      channels.m.values[at] = static_cast<float>(0.34 * rgb[0] - 0.60 * rgb[1] + 0.17 * rgb[2]);
    }
  }
  return channels;
}

double prewitt_magnitude(const Plane& plane, int x, int y) {
  double horizontal = 0;
  double vertical = 0;
  for (int k = -1; k <= 1; ++k) {
    horizontal += plane.at(x + 1, y + k) - plane.at(x - 1, y + k);
    vertical += plane.at(x + k, y + 1) - plane.at(x + k, y - 1);
  }
  return std::hypot(horizontal, vertical) / 3;
}

double similarity(double a, double b, double constant) {
  return (2 * a * b + constant) / (a * a + b * b + constant);
}

}  // namespace

double mean_deviation_similarity(const RgbImage& reference, const RgbImage& degraded) {
  if (reference.width != degraded.width || reference.height != degraded.height) {
    base::fail(base::ExitCode::kMismatch, "pictures of different sizes cannot be compared pixel by pixel");
  }
  const int factor =
      std::max(1, static_cast<int>(std::lround(std::min(reference.width, reference.height) / 256.0)));
  const Channels r = channels_of(reference, factor);
  const Channels d = channels_of(degraded, factor);
  Plane fused = r.luminance;
  for (std::size_t i = 0; i < fused.values.size(); ++i) {
    fused.values[i] = 0.5F * (r.luminance.values[i] + d.luminance.values[i]);
  }
  std::vector<double> map;
  map.reserve(fused.values.size());
  double sum = 0;
  for (int y = 0; y < fused.height; ++y) {
    for (int x = 0; x < fused.width; ++x) {
      const double gr = prewitt_magnitude(r.luminance, x, y);
      const double gd = prewitt_magnitude(d.luminance, x, y);
      const double gf = prewitt_magnitude(fused, x, y);
      const double gradient = similarity(gr, gd, kGradientOwn) + similarity(gd, gf, kGradientFused) -
                              similarity(gr, gf, kGradientFused);
      const double hr = r.h.at(x, y);
      const double hd = d.h.at(x, y);
      const double mr = r.m.at(x, y);
      const double md = d.m.at(x, y);
      const double chromaticity =
          (2 * (hr * hd + mr * md) + kChromaticity) / (hr * hr + hd * hd + mr * mr + md * md + kChromaticity);
      // The paper takes complex roots of the rare negative values; their modulus differs little from zero.
      const double value = std::max(0.0, kGradientShare * gradient + (1 - kGradientShare) * chromaticity);
      map.push_back(std::sqrt(std::sqrt(value)));
      sum += map.back();
    }
  }
  if (map.empty()) return 0;
  const double mean = sum / static_cast<double>(map.size());
  double deviation = 0;
  for (const double value : map) deviation += std::fabs(value - mean);
  return std::sqrt(std::sqrt(deviation / static_cast<double>(map.size())));
}

}  // namespace quasar::distort
