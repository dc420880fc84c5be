#include "distort/distortions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "base/errors.h"
#include "distort/scenes.h"
#include "distort/similarity.h"
#include "support/shared_vips.h"

namespace quasar::distort {
namespace {

using image::RgbImage;

using Kind = DistortionKind;

RgbImage flat(int width, int height, std::uint8_t value) {
  RgbImage image(width, height);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

/// Grey, the value of pixel (x, y) given by a function.
template <typename Value>
RgbImage drawn(int width, int height, Value value) {
  RgbImage image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(value(x, y));
      }
    }
  }
  return image;
}

int at(const RgbImage& image, int x, int y, int channel = 0) {
  return image.pixels[static_cast<std::size_t>((y * image.width + x) * 3 + channel)];
}

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments moments(const RgbImage& image) {
  Moments result;
  for (const auto value : image.pixels) result.mean += value / 255.0;
  result.mean /= static_cast<double>(image.pixels.size());
  for (const auto value : image.pixels) result.variance += std::pow(value / 255.0 - result.mean, 2);
  result.variance /= static_cast<double>(image.pixels.size());
  return result;
}

double changed_share(const RgbImage& a, const RgbImage& b) {
  std::size_t changed = 0;
  for (std::size_t i = 0; i < a.pixels.size(); i += 3) {
    if (!std::equal(a.pixels.begin() + static_cast<std::ptrdiff_t>(i),
                    a.pixels.begin() + static_cast<std::ptrdiff_t>(i + 3),
                    b.pixels.begin() + static_cast<std::ptrdiff_t>(i))) {
      ++changed;
    }
  }
  return 3.0 * static_cast<double>(changed) / static_cast<double>(a.pixels.size());
}

class EveryKind : public testing::TestWithParam<int> {
 protected:
  const DistortionInfo& info() const { return distortion_table()[static_cast<std::size_t>(GetParam() - 1)]; }
};

TEST_P(EveryKind, KeepsTheSizeAndFollowsFromItsSeed) {
  const auto scene = render_scene(96, 80, 3);
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const auto once = distort(scene, info().kind, level, 7);
    EXPECT_EQ(once.width, scene.width);
    EXPECT_EQ(once.height, scene.height);
    EXPECT_EQ(once.pixels, distort(scene, info().kind, level, 7).pixels) << "level " << level;
  }
}

TEST_P(EveryKind, ChangesThePictureUnlessTheLevelIsTheOneThatDoesNot) {
  const auto scene = render_scene(128, 96, 5);
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const auto copy = distort(scene, info().kind, level, 11);
    EXPECT_EQ(copy.pixels == scene.pixels, leaves_unchanged(info().kind, level)) << "level " << level;
  }
}

TEST_P(EveryKind, TakesTheSmallestPictures) {
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 7}, {9, 2}, {17, 17}}) {
    const auto image = drawn(width, height, [](int x, int y) { return 20 * x + 30 * y; });
    for (int level = 1; level <= kDistortionLevels; ++level) {
      EXPECT_EQ(distort(image, info().kind, level, 1).pixels.size(), image.pixels.size());
    }
  }
}

TEST_P(EveryKind, DoesMoreHarmAtHigherLevels) {
  // These two run from one extreme through nothing to the other.
  if (info().kind == Kind::kMeanShift || info().kind == Kind::kContrastChange) {
    EXPECT_TRUE(leaves_unchanged(info().kind, 3));
    return;
  }
  double before = 0;
  for (int level = 1; level <= kDistortionLevels; ++level) {
    double harm = 0;
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      const auto scene = render_scene(192, 144, seed);
      harm += mean_deviation_similarity(scene, distort(scene, info().kind, level, seed));
    }
    // The last three levels of the colour shift are alike to people, and to the measure.
    EXPECT_GE(harm, info().kind == Kind::kColourShift ? 0.97 * before : before) << "level " << level;
    before = harm;
  }
  EXPECT_GT(before, 0);
}

TEST_P(EveryKind, RefusesALevelThatDoesNotExist) {
  EXPECT_THROW(distort(flat(8, 8, 1), info().kind, 0, 1), base::Error);
  EXPECT_THROW(distort(flat(8, 8, 1), info().kind, 6, 1), base::Error);
}

INSTANTIATE_TEST_SUITE_P(Distortions, EveryKind, testing::Range(1, kDistortionKinds + 1),
                         [](const auto& param) {
                           return std::string(
                               distortion_table()[static_cast<std::size_t>(param.param - 1)].name);
                         });

TEST(Distortions, BlurSpreadsAPointByItsSigma) {
  const int side = 65;
  const auto point = drawn(side, side, [](int x, int y) { return x == 32 && y == 32 ? 255 : 0; });
  // Sigma 2 and 1 of levels 4 and 3: at the middle 255 / (2 pi sigma^2).
  EXPECT_NEAR(at(distort(point, Kind::kGaussianBlur, 4, 0), 32, 32), 255 / (2 * M_PI * 4), 1);
  EXPECT_NEAR(at(distort(point, Kind::kGaussianBlur, 3, 0), 32, 32), 255 / (2 * M_PI), 1);
  // A disk of radius 4: even inside, nothing outside.
  const auto disk = distort(point, Kind::kLensBlur, 3, 0);
  EXPECT_NEAR(at(disk, 32, 32), 255 / (M_PI * 16), 1);
  EXPECT_EQ(at(disk, 32, 32), at(disk, 35, 32));
  EXPECT_EQ(at(disk, 37, 32), 0);
  // A stroke of 10 px: what lies on it shares the light, what lies beside it has none.
  const auto stroke = distort(point, Kind::kMotionBlur, 5, 4);
  int lit = 0;
  int light = 0;
  for (std::size_t i = 0; i < stroke.pixels.size(); i += 3) {
    lit += stroke.pixels[i] > 0 ? 1 : 0;
    light += stroke.pixels[i];
  }
  EXPECT_GE(lit, 9);
  EXPECT_LE(lit, 32);
  EXPECT_NEAR(light, 255, 20);
}

TEST(Distortions, ToneCurvesPassThroughTheirPoints) {
  const auto middle = flat(8, 8, 128);
  // (0.5, 0.5 + a/2) in RGB twice, and once in L*, where grey 128 is L* = 53.6 and moves less.
  EXPECT_NEAR(at(distort(middle, Kind::kBrighten, 3, 0), 4, 4), 128 + 255 * 0.2, 5);
  EXPECT_NEAR(at(distort(middle, Kind::kDarken, 4, 0), 4, 4), 128 - 255 * 0.2, 5);
  for (const Kind kind : {Kind::kBrighten, Kind::kDarken, Kind::kContrastChange}) {
    for (int level = 1; level <= kDistortionLevels; ++level) {
      EXPECT_EQ(at(distort(flat(4, 4, 0), kind, level, 0), 1, 1), 0) << info_of(kind).name;
      EXPECT_NEAR(at(distort(flat(4, 4, 255), kind, level, 0), 1, 1), 255, 1) << info_of(kind).name;
    }
  }
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const double a = info_of(Kind::kContrastChange).parameter[static_cast<std::size_t>(level - 1)];
    EXPECT_NEAR(at(distort(flat(4, 4, 64), Kind::kContrastChange, level, 0), 1, 1), 64 - 255 * a / 4, 1.5);
    EXPECT_NEAR(at(distort(flat(4, 4, 191), Kind::kContrastChange, level, 0), 1, 1), 191 + 255 * a / 4, 1.5);
    const double shift = info_of(Kind::kMeanShift).parameter[static_cast<std::size_t>(level - 1)];
    EXPECT_NEAR(at(distort(middle, Kind::kMeanShift, level, 0), 1, 1), 128 + 255 * shift, 1);
  }
  EXPECT_EQ(at(distort(flat(4, 4, 10), Kind::kMeanShift, 1, 0), 1, 1), 0) << "clipped, not wrapped";
  EXPECT_EQ(at(distort(flat(4, 4, 250), Kind::kMeanShift, 5, 0), 1, 1), 255) << "clipped, not wrapped";
}

TEST(Distortions, QuantisationsLeaveAsManyValuesAsTheySay) {
  const auto scene = render_scene(256, 256, 9);
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const auto grey = distort(drawn(256, 16, [](int x, int) { return x; }), Kind::kQuantisation, level, 0);
    const std::set<int> values(grey.pixels.begin(), grey.pixels.end());
    EXPECT_EQ(static_cast<double>(values.size()),
              info_of(Kind::kQuantisation).parameter[static_cast<std::size_t>(level - 1)]);
    const auto palette = distort(scene, Kind::kColourQuantisation, level, 0);
    std::set<std::array<int, 3>> colours;
    for (int i = 0; i < 256 * 256; ++i) {
      colours.insert({at(palette, i % 256, i / 256, 0), at(palette, i % 256, i / 256, 1),
                      at(palette, i % 256, i / 256, 2)});
    }
    const double allowed = info_of(Kind::kColourQuantisation).parameter[static_cast<std::size_t>(level - 1)];
    EXPECT_LE(static_cast<double>(colours.size()), allowed);
    EXPECT_GE(static_cast<double>(colours.size()), 0.5 * allowed);
  }
}

TEST(Distortions, NoiseHasTheVarianceItSays) {
  const auto grey = flat(200, 200, 128);
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const auto index = static_cast<std::size_t>(level - 1);
    const double white = info_of(Kind::kWhiteNoise).parameter[index];
    EXPECT_NEAR(moments(distort(grey, Kind::kWhiteNoise, level, 5)).variance, white, 0.04 * white);
    // On the grey 0.5 a variance v of the factor is v / 4.
    const double speckle = info_of(Kind::kMultiplicativeNoise).parameter[index] / 4;
    EXPECT_NEAR(moments(distort(grey, Kind::kMultiplicativeNoise, level, 5)).variance, speckle,
                0.04 * speckle + 1.0 / (12 * 255 * 255));
    // Samples are replaced one by one: a pixel stays when all its three do.
    const double impulse = info_of(Kind::kImpulseNoise).parameter[index];
    const auto salted = distort(grey, Kind::kImpulseNoise, level, 5);
    EXPECT_NEAR(changed_share(grey, salted), 1 - std::pow(1 - impulse, 3), 0.3 * impulse + 0.0005);
    for (const auto value : salted.pixels) ASSERT_TRUE(value == 0 || value == 128 || value == 255);
  }
  EXPECT_NE(distort(grey, Kind::kWhiteNoise, 1, 5).pixels, distort(grey, Kind::kWhiteNoise, 1, 6).pixels);
}

TEST(Distortions, SaturationMovesColoursAndLeavesGreysAlone) {
  RgbImage colours(2, 1);
  colours.pixels = {200, 120, 80, 90, 90, 90};
  // Level 4: no saturation, every channel is V; level 2: a fifth of the distance to V.
  const auto none = distort(colours, Kind::kSaturationHsv, 4, 0);
  EXPECT_EQ(none.pixels, (std::vector<std::uint8_t>{200, 200, 200, 90, 90, 90}));
  const auto fifth = distort(colours, Kind::kSaturationHsv, 2, 0);
  EXPECT_EQ(fifth.pixels, (std::vector<std::uint8_t>{200, 184, 176, 90, 90, 90}));
  const auto doubled = distort(colours, Kind::kSaturationLab, 2, 0);
  EXPECT_GT(at(doubled, 0, 0, 0) - at(doubled, 0, 0, 2), 150);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(at(doubled, 1, 0, c), 90, 1);
}

TEST(Distortions, LocalDamageTouchesAsMuchAsItSays) {
  const auto grey = flat(512, 384, 128);
  const double picture = 512.0 * 384.0;
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const double blocks = info_of(Kind::kColourBlock).parameter[static_cast<std::size_t>(level - 1)];
    const double share = changed_share(grey, distort(grey, Kind::kColourBlock, level, 2));
    EXPECT_LE(share, blocks * 32 * 32 / picture);
    EXPECT_GE(share, 0.6 * blocks * 32 * 32 / picture);
  }
  // A moved patch comes from at most 8 px away: on a ramp of one grey per pixel it differs by at most 8.
  const auto ramp = drawn(256, 256, [](int x, int) { return x; });
  const auto moved = distort(ramp, Kind::kNonEccentricityPatch, 1, 3);
  int furthest = 0;
  for (std::size_t i = 0; i < moved.pixels.size(); ++i) {
    furthest = std::max(furthest, std::abs(moved.pixels[i] - ramp.pixels[i]));
  }
  EXPECT_GE(furthest, 5);
  EXPECT_LE(furthest, 8);
  EXPECT_LE(changed_share(ramp, moved), 20.0 * 16 * 16 / (256 * 256));
}

TEST(Distortions, PixelatedPicturesHaveRunsOfEqualPixels) {
  const auto ramp = drawn(200, 8, [](int x, int) { return x; });
  for (int level = 1; level <= kDistortionLevels; ++level) {
    const auto copy = distort(ramp, Kind::kPixelate, level, 0);
    std::set<int> columns;
    for (int x = 0; x < 200; ++x) columns.insert(at(copy, x, 4));
    const double s = info_of(Kind::kPixelate).parameter[static_cast<std::size_t>(level - 1)];
    EXPECT_NEAR(static_cast<double>(columns.size()), 200 * (0.95 - std::pow(s, 0.6)), 2);
  }
}

TEST(Distortions, SharpeningOvershootsAtEdgesAndLeavesFlatPartsAlone) {
  const auto edge = drawn(64, 16, [](int x, int) { return x < 32 ? 100 : 150; });
  const auto sharp = distort(edge, Kind::kHighSharpen, 2, 0);
  EXPECT_NEAR(at(sharp, 2, 8), 100, 1);
  EXPECT_LT(at(sharp, 31, 8), 80);
  EXPECT_GT(at(sharp, 32, 8), 170);
}

TEST(Distortions, ColourChangesLeaveLightnessNearlyAlone) {
  const auto scene = render_scene(128, 96, 21);
  const auto shifted = distort(scene, Kind::kColourShift, 5, 3);
  for (std::size_t i = 0; i < scene.pixels.size(); i += 3) {
    ASSERT_EQ(shifted.pixels[i], scene.pixels[i]) << "red stays";
    ASSERT_EQ(shifted.pixels[i + 2], scene.pixels[i + 2]) << "blue stays";
  }
  // Grey has no colour to diffuse.
  const auto grey = drawn(64, 64, [](int x, int y) { return 2 * x + y; });
  const auto diffused = distort(grey, Kind::kColourDiffusion, 5, 0);
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) ASSERT_NEAR(diffused.pixels[i], grey.pixels[i], 1);
}

TEST(Distortions, CodecsAreTheRealOnes) {
  // JPEG at quality 4 leaves blocks of 8 px: steps between blocks are larger than within.
  const auto scene = render_scene(256, 192, 13);
  const auto coded = distort(scene, Kind::kJpeg, 5, 0);
  double across = 0;
  double within = 0;
  for (int y = 0; y < 192; ++y) {
    for (int x = 8; x + 4 < 256; x += 8) {
      across += std::abs(at(coded, x, y) - at(coded, x - 1, y));
      within += std::abs(at(coded, x + 4, y) - at(coded, x + 3, y));
    }
  }
  EXPECT_GT(across, 1.5 * within);
}

}  // namespace
}  // namespace quasar::distort
