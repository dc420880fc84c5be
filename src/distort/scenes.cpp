#include "distort/scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "base/errors.h"
#include "base/random.h"

namespace quasar::distort {

using image::RgbImage;

namespace {

constexpr int kMinSide = 16;
using Colour = std::array<float, 3>;

Colour mixed(const Colour& a, const Colour& b, float share) {
  Colour result{};
  for (std::size_t c = 0; c < 3; ++c) result[c] = a[c] + share * (b[c] - a[c]);
  return result;
}

/// Fractal noise: octaves of smoothly interpolated lattice noise whose amplitude falls as their frequency
/// rises.
class Texture {
 public:
  explicit Texture(std::uint64_t seed) : seed_(seed) {}

  /// Around -1..1 with a spectrum near 1/f.
  float at(float x, float y, int octaves) const {
    float sum = 0;
    float amplitude = 0.5F;
    for (int o = 0; o < octaves; ++o) {
      sum += amplitude * lattice(x, y, o);
      x *= 2.03F;
      y *= 2.03F;
      amplitude *= 0.55F;
    }
    return 2 * sum;
  }

 private:
  float corner(int x, int y, int octave) const {
    const auto hash = base::derive_seed(seed_ + static_cast<std::uint64_t>(octave),
                                        static_cast<std::uint64_t>(static_cast<std::uint32_t>(x)),
                                        static_cast<std::uint64_t>(static_cast<std::uint32_t>(y)));
    return static_cast<float>(hash >> 40U) * (2.0F / 16777216.0F) - 1;
  }
  float lattice(float x, float y, int octave) const {
    const float fx = std::floor(x);
    const float fy = std::floor(y);
    const int ix = static_cast<int>(fx);
    const int iy = static_cast<int>(fy);
    const float u = smooth(x - fx);
    const float v = smooth(y - fy);
    const float top = corner(ix, iy, octave) * (1 - u) + corner(ix + 1, iy, octave) * u;
    const float bottom = corner(ix, iy + 1, octave) * (1 - u) + corner(ix + 1, iy + 1, octave) * u;
    return top * (1 - v) + bottom * v;
  }
  static float smooth(float t) { return t * t * (3 - 2 * t); }

  std::uint64_t seed_;
};

/// Linear-light colours of things out of doors: foliage, earth, stone, sky, flowers.
Colour natural_colour(base::Random& random) {
  static constexpr std::array<Colour, 8> kColours = {{{0.18F, 0.30F, 0.10F},
                                                      {0.34F, 0.38F, 0.16F},
                                                      {0.42F, 0.31F, 0.20F},
                                                      {0.24F, 0.17F, 0.11F},
                                                      {0.55F, 0.53F, 0.50F},
                                                      {0.50F, 0.64F, 0.78F},
                                                      {0.72F, 0.62F, 0.46F},
                                                      {0.62F, 0.22F, 0.16F}}};
  Colour colour = kColours[random.below(kColours.size())];
  const auto brightness = static_cast<float>(random.uniform(0.55, 1.35));
  for (float& channel : colour) {
    channel =
        std::clamp(channel * brightness + static_cast<float>(random.uniform(-0.06, 0.06)), 0.02F, 0.97F);
  }
  return colour;
}

class Canvas {
 public:
  Canvas(int width, int height) : image_(width, height) {}
  int width() const { return image_.width; }
  int height() const { return image_.height; }
  /// Lays a colour over a pixel with an opacity of 0..1.
  void blend(int x, int y, const Colour& colour, float opacity) {
    std::uint8_t* const pixel =
        image_.pixels.data() + (static_cast<std::ptrdiff_t>(y) * image_.width + x) * 3;
    for (std::size_t c = 0; c < 3; ++c) {
      const float value = static_cast<float>(pixel[c]) +
                          opacity * (255 * std::clamp(colour[c], 0.0F, 1.0F) - static_cast<float>(pixel[c]));
      pixel[c] = static_cast<std::uint8_t>(value + 0.5F);
    }
  }
  RgbImage take() { return std::move(image_); }

 private:
  RgbImage image_;
};

/// One leaf: an ellipse, a rounded box or a blade, turned, with texture and light from the upper left.
void draw_leaf(Canvas& canvas, double radius, base::Random& random) {
  const double cx = random.uniform(-0.1, 1.1) * canvas.width();
  const double cy = random.uniform(-0.1, 1.1) * canvas.height();
  const double angle = random.uniform(0, std::numbers::pi);
  const double aspect = random.uniform(0.35, 1);
  const double roundness = random.uniform() < 0.6 ? 2 : random.uniform(2, 6);
  const Colour colour = natural_colour(random);
  const Texture texture(random.next());
  const auto contrast = static_cast<float>(random.uniform(0.03, 0.30));
  const auto grain = static_cast<float>(random.uniform(0.01, 0.06));
  const auto tilt = static_cast<float>(random.uniform(0.0, 0.35));
  const int left = std::max(0, static_cast<int>(cx - radius - 1));
  const int right = std::min(canvas.width() - 1, static_cast<int>(cx + radius + 1));
  const int top = std::max(0, static_cast<int>(cy - radius - 1));
  const int bottom = std::min(canvas.height() - 1, static_cast<int>(cy + radius + 1));
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) {
      const double u = ((x - cx) * cosine + (y - cy) * sine) / radius;
      const double v = (-(x - cx) * sine + (y - cy) * cosine) / (radius * aspect);
      const double r =
          std::pow(std::pow(std::fabs(u), roundness) + std::pow(std::fabs(v), roundness), 1 / roundness);
      const double coverage = std::clamp((1 - r) * radius * aspect + 0.5, 0.0, 1.0);
      if (coverage <= 0) continue;
      const float noise = texture.at(static_cast<float>(x) * grain * 4, static_cast<float>(y) * grain * 4, 5);
      const float light =
          1 + contrast * noise - tilt * static_cast<float>(u + v) * 0.5F - 0.15F * static_cast<float>(r * r);
      Colour shaded = colour;
      for (float& channel : shaded) channel *= light;
      canvas.blend(x, y, shaded, static_cast<float>(coverage));
    }
  }
}

RgbImage dead_leaves(int width, int height, base::Random& random) {
  Canvas canvas(width, height);
  const double largest = 0.45 * std::min(width, height);
  const double smallest = std::max(3.0, 0.012 * std::min(width, height));
  // Sizes with density r^-3 between the limits, large ones first so that small ones are not all covered.
  std::vector<double> radii;
  double area = 0;
  const double target = 5.0 * width * height;
  while (area < target) {
    const double u = random.uniform();
    const double low = 1 / (smallest * smallest);
    const double high = 1 / (largest * largest);
    radii.push_back(1 / std::sqrt(low + u * (high - low)));
    area += std::numbers::pi * radii.back() * radii.back() * 0.6;
  }
  std::stable_sort(radii.begin(), radii.end(), std::greater<>());
  const Colour ground = natural_colour(random);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) canvas.blend(x, y, ground, 1);
  }
  for (const double radius : radii) draw_leaf(canvas, radius, random);
  return canvas.take();
}

RgbImage landscape(int width, int height, base::Random& random) {
  Canvas canvas(width, height);
  const bool evening = random.uniform() < 0.3;
  const Colour zenith = evening ? Colour{0.28F, 0.32F, 0.52F} : Colour{0.30F, 0.50F, 0.78F};
  const Colour horizon = evening ? Colour{0.93F, 0.66F, 0.42F} : Colour{0.80F, 0.87F, 0.93F};
  const double sun_x = random.uniform(0.1, 0.9) * width;
  const double sun_y = random.uniform(0.08, 0.4) * height;
  const Texture clouds(random.next());
  const auto cover = static_cast<float>(random.uniform(-0.2, 0.35));
  const float scale = 4.0F / static_cast<float>(width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      Colour colour =
          mixed(zenith, horizon, std::pow(static_cast<float>(y) / static_cast<float>(height) * 1.4F, 0.8F));
      const float cloud = clouds.at(static_cast<float>(x) * scale, static_cast<float>(y) * scale * 2.2F, 6);
      colour = mixed(colour, {0.96F, 0.95F, 0.94F}, std::clamp((cloud + cover) * 1.3F, 0.0F, 0.9F));
      const double distance = std::hypot(x - sun_x, y - sun_y) / width;
      colour = mixed(
          colour, {1, 0.97F, 0.86F},
          static_cast<float>(0.9 * std::exp(-distance * distance * 220) + 0.25 * std::exp(-distance * 7)));
      canvas.blend(x, y, colour, 1);
    }
  }
  const int ranges = 3 + static_cast<int>(random.below(4));
  const Colour earth = natural_colour(random);
  for (int r = 0; r < ranges; ++r) {
    const Texture ridge(random.next());
    const Texture surface(random.next());
    const float nearness = static_cast<float>(r + 1) / static_cast<float>(ranges);
    const float base_line = (0.38F + 0.5F * nearness) * static_cast<float>(height);
    const float relief = (0.10F + 0.08F * nearness) * static_cast<float>(height);
    const Colour colour =
        mixed(horizon, mixed(earth, natural_colour(random), 0.4F), 0.25F + 0.75F * nearness);
    const float wave = (1.5F + 2.0F * static_cast<float>(random.uniform())) / static_cast<float>(width);
    const float detail = (18 + 50 * (1 - nearness)) / static_cast<float>(width);
    for (int x = 0; x < width; ++x) {
      const float crest = base_line + relief * ridge.at(static_cast<float>(x) * wave, 0.5F, 7);
      for (int y = std::max(0, static_cast<int>(crest)); y < height; ++y) {
        const float depth = (static_cast<float>(y) - crest) / static_cast<float>(height);
        const float noise =
            surface.at(static_cast<float>(x) * detail, static_cast<float>(y) * detail * 1.7F, 6);
        const float light = 1.05F + (0.10F + 0.28F * nearness) * noise - 0.5F * depth;
        Colour shaded = colour;
        for (float& channel : shaded) channel *= light;
        canvas.blend(x, y, shaded, std::clamp(static_cast<float>(y) + 1 - crest, 0.0F, 1.0F));
      }
    }
  }
  return canvas.take();
}

}  // namespace

RgbImage render_scene(int width, int height, std::uint64_t seed) {
  QUASAR_CHECK(width >= kMinSide && height >= kMinSide);
  base::Random random(seed);
  return random.uniform() < 0.5 ? dead_leaves(width, height, random) : landscape(width, height, random);
}

}  // namespace quasar::distort
