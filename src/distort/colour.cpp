#include "distort/colour.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

namespace quasar::distort {
namespace {

constexpr int kCubeSide = 32;
constexpr int kCubeShift = 3;

/// A box of colours during median cut.
struct ColourBox {
  std::vector<std::array<std::uint8_t, 3>> colours;

  std::size_t widest() const {
    std::size_t best = 0;
    int width = -1;
    for (std::size_t c = 0; c < 3; ++c) {
      const auto [low, high] = std::minmax_element(colours.begin(), colours.end(),
                                                   [c](const auto& a, const auto& b) { return a[c] < b[c]; });
      if ((*high)[c] - (*low)[c] > width) {
        width = (*high)[c] - (*low)[c];
        best = c;
      }
    }
    return best;
  }
};

/// Palette of at most `count` colours by median cut (Heckbert 1982), the fullest box cut first.
std::vector<std::array<float, 3>> median_cut(const RgbImage& image, int count) {
  ColourBox all;
  const std::size_t pixels = image.pixels.size() / 3;
  // Every pixel of a small picture; an even sample of a large one.
  const std::size_t step = std::max<std::size_t>(1, pixels / 65536);
  for (std::size_t i = 0; i < pixels; i += step) {
    all.colours.push_back({image.pixels[3 * i], image.pixels[3 * i + 1], image.pixels[3 * i + 2]});
  }
  std::vector<ColourBox> boxes = {std::move(all)};
  while (static_cast<int>(boxes.size()) < count) {
    auto fullest = std::max_element(boxes.begin(), boxes.end(), [](const auto& a, const auto& b) {
      return a.colours.size() < b.colours.size();
    });
    if (fullest->colours.size() < 2) break;
    const std::size_t channel = fullest->widest();
    const auto middle = static_cast<std::ptrdiff_t>(fullest->colours.size() / 2);
    auto& colours = fullest->colours;
    std::nth_element(colours.begin(), colours.begin() + middle, colours.end(),
                     [channel](const auto& a, const auto& b) {
                       return a[channel] != b[channel] ? a[channel] < b[channel] : a < b;
                     });
    ColourBox upper;
    upper.colours.assign(colours.begin() + middle, colours.end());
    colours.resize(static_cast<std::size_t>(middle));
    boxes.push_back(std::move(upper));
  }
  std::vector<std::array<float, 3>> palette;
  for (const auto& box : boxes) {
    std::array<double, 3> sum = {0, 0, 0};
    for (const auto& colour : box.colours) {
      for (std::size_t c = 0; c < 3; ++c) sum[c] += colour[c];
    }
    std::array<float, 3> mean{};
    for (std::size_t c = 0; c < 3; ++c)
      mean[c] = static_cast<float>(sum[c] / static_cast<double>(box.colours.size()));
    palette.push_back(mean);
  }
  return palette;
}

std::size_t nearest(const std::vector<std::array<float, 3>>& palette, float r, float g, float b) {
  std::size_t best = 0;
  float least = 1e30F;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const float dr = palette[i][0] - r;
    const float dg = palette[i][1] - g;
    const float db = palette[i][2] - b;
    const float distance = dr * dr + dg * dg + db * db;
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/// Curve through (0, 0), (0.5, 0.5 + amount / 2), (1, 1): the parabola.
float bent(float x, float amount) {
  return std::clamp(x + 2 * amount * x * (1 - x), 0.0F, 1.0F);
}

float percentile(std::vector<float> values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// Where the picture has edges, blurred, from 0 to 1.
Plane edge_mask(const Planes& rgb) {
  Plane grey = rgb[0];
  for (std::size_t i = 0; i < grey.values.size(); ++i) {
    grey.values[i] = 0.299F * rgb[0].values[i] + 0.587F * rgb[1].values[i] + 0.114F * rgb[2].values[i];
  }
  Plane edges(grey.width, grey.height);
  for (int y = 0; y < grey.height; ++y) {
    const float* const above = grey.row(std::max(0, y - 1));
    const float* const below = grey.row(std::min(grey.height - 1, y + 1));
    const float* const here = grey.row(y);
    for (int x = 0; x < grey.width; ++x) {
      const float dx = here[std::min(grey.width - 1, x + 1)] - here[std::max(0, x - 1)];
      const float dy = below[x] - above[x];
      edges.row(y)[x] = std::sqrt(dx * dx + dy * dy);
    }
  }
  constexpr double kSigma = 4;
  edges = gaussian_blurred(edges, kSigma);
  const float low = percentile(edges.values, 0.01);
  const float high = percentile(edges.values, 0.99);
  for (auto& value : edges.values) {
    value = high > low ? std::clamp((value - low) / (high - low), 0.0F, 1.0F) : 0.0F;
  }
  return edges;
}

}  // namespace

Planes colour_diffused(const Planes& rgb, double amount) {
  Planes lab = lab_from_rgb(rgb);
  for (std::size_t c = 1; c < 3; ++c) {
    lab[c] = gaussian_blurred(lab[c], 1.5 * amount + 2);
    for (auto& value : lab[c].values) value *= static_cast<float>(amount);
  }
  return rgb_from_lab(lab);
}

Planes colour_shifted(const Planes& rgb, double amount, base::Random& random) {
  const double angle = 2 * std::numbers::pi * random.uniform();
  const auto dx = static_cast<float>(amount * std::cos(angle));
  const auto dy = static_cast<float>(amount * std::sin(angle));
  const Plane mask = edge_mask(rgb);
  Planes result = rgb;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const float moved = bilinear(rgb[1], static_cast<float>(x) - dx, static_cast<float>(y) - dy);
      float& green = result[1].row(y)[x];
      green += mask.row(y)[x] * (moved - green);
    }
  }
  return result;
}

RgbImage colour_quantised(const RgbImage& image, int colours) {
  const auto palette = median_cut(image, colours);
  // Nearest palette entry by the colour's cell in a 32-sided cube.
  std::vector<std::int16_t> cell(static_cast<std::size_t>(kCubeSide) * kCubeSide * kCubeSide, -1);
  const auto entry_of = [&](const std::array<float, 3>& colour) -> const std::array<float, 3>& {
    std::size_t key = 0;
    for (const float value : colour) {
      key = key * kCubeSide + (static_cast<std::size_t>(std::clamp(value, 0.0F, 255.0F)) >> kCubeShift);
    }
    if (cell[key] < 0)
      cell[key] = static_cast<std::int16_t>(nearest(palette, colour[0], colour[1], colour[2]));
    return palette[static_cast<std::size_t>(cell[key])];
  };
  // Error diffusion (Floyd, Steinberg 1976): two rows of errors.
  RgbImage result(image.width, image.height);
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::array<float, 3>> here(width + 2);
  std::vector<std::array<float, 3>> below(width + 2);
  for (int y = 0; y < image.height; ++y) {
    std::fill(below.begin(), below.end(), std::array<float, 3>{});
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t at = (static_cast<std::size_t>(y) * width + x) * 3;
      std::array<float, 3> wanted{};
      for (std::size_t c = 0; c < 3; ++c)
        wanted[c] = static_cast<float>(image.pixels[at + c]) + here[x + 1][c];
      const auto& given = entry_of(wanted);
      for (std::size_t c = 0; c < 3; ++c) {
        result.pixels[at + c] = static_cast<std::uint8_t>(std::clamp(given[c] + 0.5F, 0.0F, 255.0F));
        const float error = wanted[c] - given[c];
        here[x + 2][c] += error * (7.0F / 16);
        below[x][c] += error * (3.0F / 16);
        below[x + 1][c] += error * (5.0F / 16);
        below[x + 2][c] += error * (1.0F / 16);
      }
    }
    std::swap(here, below);
  }
  return result;
}

Planes saturated_hsv(const Planes& rgb, double factor) {
  // With V fixed, a channel is V - S * V * k: scaling S scales its distance to the largest channel.
  Planes result = rgb;
  for (std::size_t i = 0; i < rgb[0].values.size(); ++i) {
    const float largest = std::max({rgb[0].values[i], rgb[1].values[i], rgb[2].values[i]});
    for (std::size_t c = 0; c < 3; ++c) {
      result[c].values[i] = largest - static_cast<float>(factor) * (largest - rgb[c].values[i]);
    }
  }
  return result;
}

Planes saturated_lab(const Planes& rgb, double factor) {
  Planes lab = lab_from_rgb(rgb);
  for (std::size_t c = 1; c < 3; ++c) {
    for (auto& value : lab[c].values) value *= static_cast<float>(factor);
  }
  return rgb_from_lab(lab);
}

Planes brightness_changed(const Planes& rgb, double amount) {
  const auto bend = static_cast<float>(amount);
  Planes lab = lab_from_rgb(rgb);
  for (auto& value : lab[0].values) value = 100 * bent(value / 100, bend);
  const Planes by_lightness = rgb_from_lab(lab);
  Planes result = rgb;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < result[c].values.size(); ++i) {
      result[c].values[i] = (2 * bent(rgb[c].values[i], bend) + by_lightness[c].values[i]) / 3;
    }
  }
  return result;
}

Planes contrast_changed(const Planes& rgb, double amount) {
  // The cubic through (0, 0), (0.25, 0.25 - a/4), (0.75, 0.75 + a/4), (1, 1).
  const auto bend = static_cast<float>(16.0 / 3 * amount);
  Planes result = rgb;
  for (auto& plane : result) {
    for (auto& x : plane.values) x += bend * x * (x - 0.5F) * (1 - x);
  }
  return result;
}

Planes quantised(const Planes& rgb, int levels) {
  const auto steps = static_cast<float>(levels - 1);
  Planes result = rgb;
  for (auto& plane : result) {
    for (auto& value : plane.values) value = std::floor(value * steps + 0.5F) / steps;
  }
  return result;
}

}  // namespace quasar::distort
