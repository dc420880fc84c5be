#include "distort/planes.h"

#include <algorithm>
#include <cmath>

namespace quasar::distort {
namespace {

constexpr int kGammaSteps = 4096;

/// CIE's f with its linear toe.
float lab_f(float t) {
  constexpr float kDelta = 6.0F / 29.0F;
  return t > kDelta * kDelta * kDelta ? std::cbrt(t) : t / (3 * kDelta * kDelta) + 4.0F / 29.0F;
}

float lab_f_inverse(float t) {
  constexpr float kDelta = 6.0F / 29.0F;
  return t > kDelta ? t * t * t : 3 * kDelta * kDelta * (t - 4.0F / 29.0F);
}

float linear_from_srgb(float value) {
  return value <= 0.04045F ? value / 12.92F : std::pow((value + 0.055F) / 1.055F, 2.4F);
}

double srgb_from_linear(double value) {
  return value <= 0.0031308 ? 12.92 * value : 1.055 * std::pow(value, 1 / 2.4) - 0.055;
}

/// Table of the sRGB curve over the square root of its argument, which is nearly straight.
const std::vector<float>& gamma_table() {
  static const std::vector<float> table = [] {
    std::vector<float> values(kGammaSteps + 2);
    for (int i = 0; i < kGammaSteps + 2; ++i) {
      const double root = static_cast<double>(i) / kGammaSteps;
      values[static_cast<std::size_t>(i)] = static_cast<float>(srgb_from_linear(root * root));
    }
    return values;
  }();
  return table;
}

float gamma_coded(float linear) {
  const float position = std::sqrt(std::clamp(linear, 0.0F, 1.0F)) * kGammaSteps;
  const auto index = static_cast<std::size_t>(position);
  const float part = position - static_cast<float>(index);
  const auto& table = gamma_table();
  return table[index] + part * (table[index + 1] - table[index]);
}

constexpr float kWhiteX = 0.950456F;
constexpr float kWhiteZ = 1.088754F;

/// Taps along one line of `size` values `stride` apart.
void filter_line(const float* in, float* out, int size, std::ptrdiff_t stride, std::span<const float> taps,
                 std::vector<float>& padded) {
  const int radius = static_cast<int>(taps.size()) / 2;
  padded.resize(static_cast<std::size_t>(size + 2 * radius));
  for (int i = -radius; i < size + radius; ++i) {
    padded[static_cast<std::size_t>(i + radius)] = in[mirrored(i, size) * stride];
  }
  for (int i = 0; i < size; ++i) {
    float sum = 0;
    const float* const from = padded.data() + i;
    for (std::size_t t = 0; t < taps.size(); ++t) sum += taps[t] * from[t];
    out[i * stride] = sum;
  }
}

Plane separable(const Plane& plane, std::span<const float> taps) {
  const int radius = static_cast<int>(taps.size()) / 2;
  Plane across(plane.width, plane.height);
  std::vector<float> padded;
  for (int y = 0; y < plane.height; ++y)
    filter_line(plane.row(y), across.row(y), plane.width, 1, taps, padded);
  // Whole rows at a time, so that the inner loop runs along memory.
  Plane result(plane.width, plane.height);
  for (int y = 0; y < plane.height; ++y) {
    float* const out = result.row(y);
    for (std::size_t t = 0; t < taps.size(); ++t) {
      const float* const in = across.row(mirrored(y + static_cast<int>(t) - radius, plane.height));
      for (int x = 0; x < plane.width; ++x) out[x] += taps[t] * in[x];
    }
  }
  return result;
}

}  // namespace

Planes to_planes(const RgbImage& image) {
  Planes planes;
  for (auto& plane : planes) plane = Plane(image.width, image.height);
  const std::size_t count = planes[0].values.size();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      planes[c].values[i] = static_cast<float>(image.pixels[3 * i + c]) / 255.0F;
  }
  return planes;
}

RgbImage to_image(const Planes& planes) {
  RgbImage image(planes[0].width, planes[0].height);
  for (std::size_t i = 0; i < planes[0].values.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      image.pixels[3 * i + c] =
          static_cast<std::uint8_t>(std::clamp(planes[c].values[i], 0.0F, 1.0F) * 255.0F + 0.5F);
    }
  }
  return image;
}

Planes lab_from_rgb(const Planes& rgb) {
  Planes lab = rgb;
  for (std::size_t i = 0; i < rgb[0].values.size(); ++i) {
    const float r = linear_from_srgb(rgb[0].values[i]);
    const float g = linear_from_srgb(rgb[1].values[i]);
    const float b = linear_from_srgb(rgb[2].values[i]);
    const float x = lab_f((0.412453F * r + 0.357580F * g + 0.180423F * b) / kWhiteX);
    const float y = lab_f(0.212671F * r + 0.715160F * g + 0.072169F * b);
    const float z = lab_f((0.019334F * r + 0.119193F * g + 0.950227F * b) / kWhiteZ);
    lab[0].values[i] = 116 * y - 16;
    lab[1].values[i] = 500 * (x - y);
    lab[2].values[i] = 200 * (y - z);
  }
  return lab;
}

Planes rgb_from_lab(const Planes& lab) {
  Planes rgb = lab;
  for (std::size_t i = 0; i < lab[0].values.size(); ++i) {
    const float fy = (lab[0].values[i] + 16) / 116;
    const float x = kWhiteX * lab_f_inverse(fy + lab[1].values[i] / 500);
    const float y = lab_f_inverse(fy);
    const float z = kWhiteZ * lab_f_inverse(fy - lab[2].values[i] / 200);
    rgb[0].values[i] = gamma_coded(3.240479F * x - 1.537150F * y - 0.498535F * z);
    rgb[1].values[i] = gamma_coded(-0.969256F * x + 1.875992F * y + 0.041556F * z);
    rgb[2].values[i] = gamma_coded(0.055648F * x - 0.204043F * y + 1.057311F * z);
  }
  return rgb;
}

Plane gaussian_blurred(const Plane& plane, double sigma) {
  const int radius = static_cast<int>(std::ceil(2 * sigma));
  std::vector<float> taps;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-i * i / (2 * sigma * sigma));
  for (int i = -radius; i <= radius; ++i) {
    taps.push_back(static_cast<float>(std::exp(-i * i / (2 * sigma * sigma)) / sum));
  }
  return separable(plane, taps);
}

Plane box_blurred(const Plane& plane, int radius) {
  const std::vector<float> taps(static_cast<std::size_t>(2 * radius + 1),
                                1.0F / static_cast<float>(2 * radius + 1));
  return separable(plane, taps);
}

Plane filtered(const Plane& plane, std::span<const float> kernel, int side) {
  const int radius = side / 2;
  // Padded once, so that the inner loop has no border to mind.
  Plane padded(plane.width + 2 * radius, plane.height + 2 * radius);
  for (int y = 0; y < padded.height; ++y) {
    const float* const from = plane.row(mirrored(y - radius, plane.height));
    for (int x = 0; x < padded.width; ++x) padded.row(y)[x] = from[mirrored(x - radius, plane.width)];
  }
  Plane result(plane.width, plane.height);
  for (int y = 0; y < plane.height; ++y) {
    float* const out = result.row(y);
    for (int j = 0; j < side; ++j) {
      for (int i = 0; i < side; ++i) {
        const float tap = kernel[static_cast<std::size_t>(j) * static_cast<std::size_t>(side) +
                                 static_cast<std::size_t>(i)];
        if (tap == 0) continue;
        const float* const from = padded.row(y + j) + i;
        for (int x = 0; x < plane.width; ++x) out[x] += tap * from[x];
      }
    }
  }
  return result;
}

float bilinear(const Plane& plane, float x, float y) {
  x = std::clamp(x, 0.0F, static_cast<float>(plane.width - 1));
  y = std::clamp(y, 0.0F, static_cast<float>(plane.height - 1));
  const int x0 = static_cast<int>(x);
  const int y0 = static_cast<int>(y);
  const int x1 = std::min(x0 + 1, plane.width - 1);
  const int y1 = std::min(y0 + 1, plane.height - 1);
  const float u = x - static_cast<float>(x0);
  const float v = y - static_cast<float>(y0);
  const float top = plane.row(y0)[x0] * (1 - u) + plane.row(y0)[x1] * u;
  const float bottom = plane.row(y1)[x0] * (1 - u) + plane.row(y1)[x1] * u;
  return top * (1 - v) + bottom * v;
}

}  // namespace quasar::distort
