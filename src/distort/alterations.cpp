#include "distort/alterations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "base/errors.h"
#include "distort/codec.h"
#include "distort/noise.h"
#include "distort/planes.h"
#include "distort/spatial.h"
#include "image/resize.h"

namespace quasar::distort {
namespace {

using Seed = std::uint64_t;
using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kBlack = {0, 0, 0};
constexpr Colour kWhite = {255, 255, 255};

std::size_t place(const RgbImage& image, int x, int y) {
  return (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) *
         3;
}

void paint(RgbImage& image, int x, int y, const Colour& colour) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  std::copy(colour.begin(), colour.end(),
            image.pixels.begin() + static_cast<std::ptrdiff_t>(place(image, x, y)));
}

/// A picture whose pixel (x, y) is that of `image` at `from(x, y)`, or black where that lies outside.
template <typename From>
RgbImage moved(const RgbImage& image, int width, int height, const From& from) {
  RgbImage result(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto [source_x, source_y] = from(x, y);
      if (source_x < 0 || source_y < 0 || source_x >= image.width || source_y >= image.height) continue;
      std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(place(image, source_x, source_y)), 3,
                  result.pixels.begin() + static_cast<std::ptrdiff_t>(place(result, x, y)));
    }
  }
  return result;
}

struct Place {
  int x;
  int y;
};

/// Each sample by `value(sample in 0..1)`.
template <typename Value>
RgbImage mapped(const RgbImage& image, const Value& value) {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double result = std::clamp(static_cast<double>(value(static_cast<double>(i) / 255)), 0.0, 1.0);
    table[i] = static_cast<std::uint8_t>(std::lround(result * 255));
  }
  RgbImage result = image;
  for (auto& sample : result.pixels) sample = table[sample];
  return result;
}

RgbImage resized(const RgbImage& image, int width, int height) {
  auto raster = image::resize_bicubic(
      {.width = image.width, .height = image.height, .channels = 3, .palette = false, .pixels = image.pixels},
      width, height);
  RgbImage result;
  result.width = raster.width;
  result.height = raster.height;
  result.pixels = std::move(raster.pixels);
  return result;
}

RgbImage jpeg(const RgbImage& image, double quality, Seed /*seed*/) {
  return jpeg_coded(image, static_cast<int>(quality));
}

RgbImage webp(const RgbImage& image, double quality, Seed /*seed*/) {
  return webp_coded(image, static_cast<int>(quality));
}

RgbImage scaled(const RgbImage& image, double factor, Seed /*seed*/) {
  return resized(image, static_cast<int>(std::lround(image.width * factor)),
                 static_cast<int>(std::lround(image.height * factor)));
}

/// To a square, as thumbnails are made.
RgbImage squared(const RgbImage& image, double side, Seed /*seed*/) {
  return resized(image, static_cast<int>(side), static_cast<int>(side));
}

RgbImage brightened(const RgbImage& image, double factor, Seed /*seed*/) {
  return mapped(image, [&](double value) { return value * factor; });
}

RgbImage contrasted(const RgbImage& image, double factor, Seed /*seed*/) {
  return mapped(image, [&](double value) { return 0.5 + (value - 0.5) * factor; });
}

RgbImage gamma(const RgbImage& image, double exponent, Seed /*seed*/) {
  return mapped(image, [&](double value) { return std::pow(value, exponent); });
}

/// Less colour by that share, ITU-R BT.601.
RgbImage desaturated(const RgbImage& image, double share, Seed /*seed*/) {
  RgbImage result = image;
  for (std::size_t i = 0; i + 2 < result.pixels.size(); i += 3) {
    const double grey = 0.299 * image.pixels[i] + 0.587 * image.pixels[i + 1] + 0.114 * image.pixels[i + 2];
    for (std::size_t c = 0; c < 3; ++c) {
      const double value = image.pixels[i + c];
      result.pixels[i + c] = static_cast<std::uint8_t>(std::lround(value + (grey - value) * share));
    }
  }
  return result;
}

RgbImage blurred(const RgbImage& image, double sigma, Seed /*seed*/) {
  auto planes = to_planes(image);
  for (auto& plane : planes) plane = gaussian_blurred(plane, sigma);
  return to_image(planes);
}

RgbImage sharper(const RgbImage& image, double amount, Seed /*seed*/) {
  return to_image(sharpened(to_planes(image), amount));
}

/// Of that deviation, in levels of 255.
RgbImage noisy(const RgbImage& image, double deviation, Seed seed) {
  base::Random random(seed);
  return to_image(white_noise(to_planes(image), deviation * deviation / (255.0 * 255.0), random));
}

/// That share of both sides is left out, half of it at each edge.
RgbImage cropped(const RgbImage& image, double share, Seed /*seed*/) {
  const int left = static_cast<int>(std::lround(image.width * share / 2));
  const int top = static_cast<int>(std::lround(image.height * share / 2));
  return moved(image, image.width - 2 * left, image.height - 2 * top, [&](int x, int y) {
    return Place{x + left, y + top};
  });
}

/// The same share, all of it at the left and the top.
RgbImage cropped_corner(const RgbImage& image, double share, Seed /*seed*/) {
  const int left = static_cast<int>(std::lround(image.width * share));
  const int top = static_cast<int>(std::lround(image.height * share));
  return moved(image, image.width - left, image.height - top, [&](int x, int y) {
    return Place{x + left, y + top};
  });
}

RgbImage framed(const RgbImage& image, int left, int top, const Colour& colour) {
  auto result = moved(image, image.width + 2 * left, image.height + 2 * top, [&](int x, int y) {
    return Place{x - left, y - top};
  });
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      if (x < left || y < top || x >= image.width + left || y >= image.height + top)
        paint(result, x, y, colour);
    }
  }
  return result;
}

/// A border at each edge, that share of the shorter side wide.
RgbImage bordered(const RgbImage& image, double share, Seed /*seed*/) {
  const int width = static_cast<int>(std::lround(std::min(image.width, image.height) * share));
  return framed(image, width, width, kBlack);
}

RgbImage bordered_white(const RgbImage& image, double share, Seed /*seed*/) {
  const int width = static_cast<int>(std::lround(std::min(image.width, image.height) * share));
  return framed(image, width, width, kWhite);
}

/// Black above and below, to a height that many times that of the picture.
RgbImage letterboxed(const RgbImage& image, double factor, Seed /*seed*/) {
  return framed(image, 0, static_cast<int>(std::lround(image.height * (factor - 1) / 2)), kBlack);
}

/// Turned about the middle, by degrees, in the same frame; corners without a picture are black.
RgbImage turned(const RgbImage& image, double degrees, Seed /*seed*/) {
  const auto planes = to_planes(image);
  Planes result = {Plane(image.width, image.height), Plane(image.width, image.height),
                   Plane(image.width, image.height)};
  const double angle = degrees * std::numbers::pi / 180;
  const double middle_x = (image.width - 1) / 2.0;
  const double middle_y = (image.height - 1) / 2.0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double from_x = middle_x + std::cos(angle) * (x - middle_x) + std::sin(angle) * (y - middle_y);
      const double from_y = middle_y - std::sin(angle) * (x - middle_x) + std::cos(angle) * (y - middle_y);
      if (from_x < 0 || from_y < 0 || from_x > image.width - 1 || from_y > image.height - 1) continue;
      for (std::size_t c = 0; c < 3; ++c)
        result[c].row(y)[x] = bilinear(planes[c], static_cast<float>(from_x), static_cast<float>(from_y));
    }
  }
  return to_image(result);
}

RgbImage mirrored_across(const RgbImage& image, double /*parameter*/, Seed /*seed*/) {
  return moved(image, image.width, image.height, [&](int x, int y) { return Place{image.width - 1 - x, y}; });
}

RgbImage mirrored_down(const RgbImage& image, double /*parameter*/, Seed /*seed*/) {
  return moved(image, image.width, image.height, [&](int x, int y) {
    return Place{x, image.height - 1 - y};
  });
}

RgbImage quarter_turned(const RgbImage& image, double quarters, Seed /*seed*/) {
  switch (static_cast<int>(quarters)) {
    case 1:
      return moved(image, image.height, image.width, [&](int x, int y) {
        return Place{y, image.height - 1 - x};
      });
    case 2:
      return moved(image, image.width, image.height, [&](int x, int y) {
        return Place{image.width - 1 - x, image.height - 1 - y};
      });
    default:
      return moved(image, image.height, image.width, [&](int x, int y) {
        return Place{image.width - 1 - y, x};
      });
  }
}

/// Letters of 5 x 7, a row of five bits each from the top.
constexpr std::array<std::array<std::uint8_t, 7>, 6> kLetters = {{{30, 17, 17, 30, 16, 16, 16},  // P
                                                                  {17, 17, 17, 31, 17, 17, 17},  // H
                                                                  {14, 17, 17, 17, 17, 17, 14},  // O
                                                                  {31, 4, 4, 4, 4, 4, 4},        // T
                                                                  {14, 17, 17, 17, 17, 17, 14},  // O
                                                                  {15, 16, 16, 14, 1, 1, 30}}};  // S

/// A word across the lower edge, white with a dark shadow, in letters of that share of the height. By hand,
/// as fonts differ between machines.
RgbImage captioned(const RgbImage& image, double share, Seed /*seed*/) {
  RgbImage result = image;
  const int dot = std::max(1, static_cast<int>(std::lround(image.height * share / 7)));
  const int left = (image.width - dot * static_cast<int>(kLetters.size()) * 6) / 2;
  const int top = image.height - dot * 9;
  const auto write = [&](int shift, const Colour& colour) {
    for (std::size_t letter = 0; letter < kLetters.size(); ++letter) {
      for (int row = 0; row < 7 * dot; ++row) {
        for (int column = 0; column < 5 * dot; ++column) {
          const unsigned bits = kLetters[letter][static_cast<std::size_t>(row / dot)];
          if ((bits >> (4U - static_cast<unsigned>(column / dot)) & 1U) == 0) continue;
          paint(result, left + static_cast<int>(letter) * 6 * dot + column + shift, top + row + shift,
                colour);
        }
      }
    }
  };
  write(std::max(1, dot / 2), kBlack);
  write(0, kWhite);
  return result;
}

/// A disc with a ring in the lower right corner, that share of the shorter side across.
RgbImage with_logo(const RgbImage& image, double share, Seed /*seed*/) {
  RgbImage result = image;
  const double radius = std::min(image.width, image.height) * share / 2;
  const double middle_x = image.width - radius * 1.3;
  const double middle_y = image.height - radius * 1.3;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double distance = std::hypot(x - middle_x, y - middle_y) / radius;
      if (distance > 1) continue;
      paint(result, x, y, distance > 0.75 ? kWhite : Colour{200, 30, 40});
    }
  }
  return result;
}

constexpr auto kSame = AlterationGroup::kSameFrame;
constexpr auto kSmall = AlterationGroup::kSmallShift;
constexpr auto kTurned = AlterationGroup::kMirrored;
constexpr auto kLarge = AlterationGroup::kLargeShift;

constexpr std::array<Alteration, 40> kAlterations = {{
    {"jpeg 90", kSame, jpeg, 90},
    {"jpeg 70", kSame, jpeg, 70},
    {"jpeg 50", kSame, jpeg, 50},
    {"jpeg 30", kSame, jpeg, 30},
    {"jpeg 10", kSame, jpeg, 10},
    {"webp 50", kSame, webp, 50},
    {"scale 200%", kSame, scaled, 2},
    {"scale 50%", kSame, scaled, 0.5},
    {"scale 25%", kSame, scaled, 0.25},
    {"square 256 px", kSame, squared, 256},
    {"brightness 120%", kSame, brightened, 1.2},
    {"brightness 80%", kSame, brightened, 0.8},
    {"contrast 130%", kSame, contrasted, 1.3},
    {"contrast 70%", kSame, contrasted, 0.7},
    {"gamma 0.7", kSame, gamma, 0.7},
    {"gamma 1.5", kSame, gamma, 1.5},
    {"grey", kSame, desaturated, 1},
    {"blur 1 px", kSame, blurred, 1},
    {"blur 2 px", kSame, blurred, 2},
    {"sharpened", kSame, sharper, 1},
    {"noise 10", kSame, noisy, 10},
    {"crop 2%", kSmall, cropped, 0.02},
    {"crop 5%", kSmall, cropped, 0.05},
    {"border 2%", kSmall, bordered, 0.02},
    {"text 6%", kSmall, captioned, 0.06},
    {"logo 15%", kSmall, with_logo, 0.15},
    {"turn 1 degree", kSmall, turned, 1},
    {"mirror left and right", kTurned, mirrored_across, 0},
    {"mirror up and down", kTurned, mirrored_down, 0},
    {"turn 90 degrees", kTurned, quarter_turned, 1},
    {"turn 180 degrees", kTurned, quarter_turned, 2},
    {"turn 270 degrees", kTurned, quarter_turned, 3},
    {"crop 10%", kLarge, cropped, 0.1},
    {"crop 10%, one corner", kLarge, cropped_corner, 0.1},
    {"crop 20%", kLarge, cropped, 0.2},
    {"border 5%", kLarge, bordered, 0.05},
    {"border 10%, white", kLarge, bordered_white, 0.1},
    {"letterbox 4:3", kLarge, letterboxed, 4.0 / 3},
    {"turn 3 degrees", kLarge, turned, 3},
    {"turn 10 degrees", kLarge, turned, 10},
}};

}  // namespace

std::string_view describe(AlterationGroup group) {
  switch (group) {
    case AlterationGroup::kSameFrame:
      return "recompressed, scaled, tone, blur, noise";
    case AlterationGroup::kSmallShift:
      return "crop of 2 to 5%, border of 2%, text, logo, 1 degree";
    case AlterationGroup::kMirrored:
      return "mirrored, turned by 90, 180, 270 degrees";
    case AlterationGroup::kLargeShift:
      return "crop of 10% and more, wide borders, letterbox, 3 to 10 degrees";
  }
  base::fail(base::ExitCode::kInternal, "unknown group of alterations");
}

std::span<const Alteration> alterations() {
  return kAlterations;
}

RgbImage altered(const RgbImage& image, const Alteration& alteration, std::uint64_t seed) {
  QUASAR_CHECK(std::min(image.width, image.height) >= kLeastAlteredSide);
  return alteration.apply(image, alteration.parameter, seed);
}

}  // namespace quasar::distort
