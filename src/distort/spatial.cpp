#include "distort/spatial.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "image/resize.h"

namespace quasar::distort {
namespace {

constexpr int kPatchSide = 16;
constexpr int kPatchReach = 8;
constexpr int kBlockSide = 32;
constexpr int kSubsamples = 8;

std::vector<float> unit_sum(std::vector<float> kernel) {
  double sum = 0;
  for (const float tap : kernel) sum += tap;
  for (float& tap : kernel) tap = static_cast<float>(tap / sum);
  return kernel;
}

/// Disk of uniform light, each tap its cell's share inside the disk.
std::vector<float> disk_kernel(double radius, int side) {
  std::vector<float> kernel(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  const int middle = side / 2;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      int inside = 0;
      for (int j = 0; j < kSubsamples; ++j) {
        for (int i = 0; i < kSubsamples; ++i) {
          const double u = x - middle + (i + 0.5) / kSubsamples - 0.5;
          const double v = y - middle + (j + 0.5) / kSubsamples - 0.5;
          if (u * u + v * v <= radius * radius) ++inside;
        }
      }
      kernel[static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x)] =
          static_cast<float>(inside);
    }
  }
  return unit_sum(std::move(kernel));
}

/// A straight stroke of the given length through the middle, one pixel wide with soft edges.
std::vector<float> stroke_kernel(double length, double angle, int side) {
  std::vector<float> kernel(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  const int middle = side / 2;
  const double half = (length - 1) / 2;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double u = x - middle;
      const double v = y - middle;
      const double along = u * std::cos(angle) + v * std::sin(angle);
      const double past = std::max(0.0, std::fabs(along) - half);
      const double across = std::fabs(-u * std::sin(angle) + v * std::cos(angle));
      kernel[static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x)] =
          static_cast<float>(std::max(0.0, 1 - std::hypot(past, across)));
    }
  }
  return unit_sum(std::move(kernel));
}

Planes filtered_all(const Planes& rgb, const std::vector<float>& kernel, int side) {
  Planes result;
  for (std::size_t c = 0; c < 3; ++c) result[c] = filtered(rgb[c], kernel, side);
  return result;
}

}  // namespace

Planes lens_blurred(const Planes& rgb, double radius) {
  const int side = 2 * static_cast<int>(std::ceil(radius)) + 1;
  return filtered_all(rgb, disk_kernel(radius, side), side);
}

Planes motion_blurred(const Planes& rgb, double length, base::Random& random) {
  const double angle = std::numbers::pi * random.uniform();
  const int side = 2 * static_cast<int>(std::ceil(length / 2)) + 1;
  return filtered_all(rgb, stroke_kernel(length, angle, side), side);
}

Planes sharpened(const Planes& rgb, double amount) {
  constexpr double kRadius = 3;
  Planes lab = lab_from_rgb(rgb);
  const Plane soft = gaussian_blurred(lab[0], kRadius);
  for (std::size_t i = 0; i < soft.values.size(); ++i) {
    float& lightness = lab[0].values[i];
    lightness =
        std::clamp(lightness + static_cast<float>(amount) * (lightness - soft.values[i]), 0.0F, 100.0F);
  }
  return rgb_from_lab(lab);
}

Planes jittered(const Planes& rgb, double amount, base::Random& random) {
  constexpr int kPasses = 5;
  Planes result = rgb;
  for (int pass = 0; pass < kPasses; ++pass) {
    const Planes before = result;
    for (int y = 0; y < rgb[0].height; ++y) {
      for (int x = 0; x < rgb[0].width; ++x) {
        const float u = static_cast<float>(x) + static_cast<float>(amount * random.normal());
        const float v = static_cast<float>(y) + static_cast<float>(amount * random.normal());
        for (std::size_t c = 0; c < 3; ++c) result[c].row(y)[x] = bilinear(before[c], u, v);
      }
    }
  }
  return result;
}

RgbImage patches_moved(const RgbImage& image, int count, base::Random& random) {
  RgbImage result = image;
  const int width = std::min(kPatchSide, image.width);
  const int height = std::min(kPatchSide, image.height);
  const auto draw = [&random](int n) {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
  };
  for (int i = 0; i < count; ++i) {
    const int left = draw(image.width - width + 1);
    const int top = draw(image.height - height + 1);
    const int to_left = std::clamp(left + draw(2 * kPatchReach + 1) - kPatchReach, 0, image.width - width);
    const int to_top = std::clamp(top + draw(2 * kPatchReach + 1) - kPatchReach, 0, image.height - height);
    for (int y = 0; y < height; ++y) {
      const auto from = (static_cast<std::ptrdiff_t>(top + y) * image.width + left) * 3;
      const auto to = (static_cast<std::ptrdiff_t>(to_top + y) * image.width + to_left) * 3;
      std::copy_n(image.pixels.begin() + from, 3 * width, result.pixels.begin() + to);
    }
  }
  return result;
}

RgbImage pixelated(const RgbImage& image, double strength) {
  const double scale = 0.95 - std::pow(strength, 0.6);
  image::Raster raster;
  raster.width = image.width;
  raster.height = image.height;
  raster.channels = 3;
  raster.pixels = image.pixels;
  const int width = std::max(1, static_cast<int>(std::lround(image.width * scale)));
  const int height = std::max(1, static_cast<int>(std::lround(image.height * scale)));
  return image::to_rgb(
      image::resize_nearest(image::resize_nearest(raster, width, height), image.width, image.height));
}

RgbImage colour_blocks(const RgbImage& image, int count, base::Random& random) {
  RgbImage result = image;
  const int width = std::min(kBlockSide, image.width);
  const int height = std::min(kBlockSide, image.height);
  for (int i = 0; i < count; ++i) {
    const auto left = static_cast<int>(random.below(static_cast<std::uint64_t>(image.width - width + 1)));
    const auto top = static_cast<int>(random.below(static_cast<std::uint64_t>(image.height - height + 1)));
    std::uint8_t colour[3];
    for (auto& channel : colour) channel = static_cast<std::uint8_t>(random.below(256));
    for (int y = top; y < top + height; ++y) {
      for (int x = left; x < left + width; ++x) {
        std::copy_n(colour, 3,
                    result.pixels.begin() + (static_cast<std::ptrdiff_t>(y) * image.width + x) * 3);
      }
    }
  }
  return result;
}

}  // namespace quasar::distort
