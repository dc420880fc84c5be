#include "pipeline/picture_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/errors.h"

namespace {

using quasar::pipeline::laplacian_variance;
using quasar::pipeline::PictureStatistics;

std::vector<std::uint8_t> grey(const std::vector<int>& values) {
  std::vector<std::uint8_t> pixels;
  for (const int value : values) pixels.insert(pixels.end(), 3, static_cast<std::uint8_t>(value));
  return pixels;
}

TEST(LaplacianVariance, IsOfPixelsWithANeighbourOnEverySide) {
  // 4 x 3: the Laplacian is 40 and -10 in the middle, whose mean is 15.
  EXPECT_DOUBLE_EQ(laplacian_variance(grey({0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0}), 3, 4), 625);
  EXPECT_DOUBLE_EQ(laplacian_variance(grey({0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0}), 4, 3), 625);
  EXPECT_EQ(laplacian_variance(grey({9, 1, 7, 2, 5, 3, 8, 4, 6}), 3, 3), 0) << "one value";
}

TEST(LaplacianVariance, IsZeroForASlope) {
  std::vector<int> slope;
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 6; ++x) slope.push_back(3 * x + 7 * y);
  EXPECT_EQ(laplacian_variance(grey(slope), 5, 6), 0);
}

TEST(LaplacianVariance, WeighsColoursAsLuma) {
  std::vector<std::uint8_t> pixels(4 * 3 * 3, 0);
  pixels[5 * 3] = 100;  // Red, 29.9 of grey: 119.6 and -29.9 about 44.85.
  EXPECT_NEAR(laplacian_variance(pixels, 3, 4), 74.75 * 74.75, 1e-9);
}

TEST(LaplacianVariance, RefusesWhatHasNoInside) {
  EXPECT_THROW(laplacian_variance(grey({1, 2, 3, 4}), 2, 2), quasar::base::Error);
  EXPECT_THROW(laplacian_variance(grey({1, 2, 3}), 3, 3), quasar::base::Error);
}

TEST(PictureStatistics, ArePerPictureAndOneOfManyIsAsAlone) {
  PictureStatistics encoder;
  ASSERT_EQ(static_cast<std::size_t>(encoder.dimension()), PictureStatistics::statistics().size());
  constexpr int kSide = 32;
  std::vector<std::uint8_t> flat(kSide * kSide * 3, 128);
  auto both = flat;
  for (std::size_t i = 0; i < flat.size(); ++i) both.push_back(static_cast<std::uint8_t>(i * i * 31 % 251));
  std::vector<float> values(4);
  encoder.encode({2, kSide, kSide, both}, values);
  EXPECT_GT(values[0], 0);
  EXPECT_EQ(values[1], 0);
  EXPECT_GT(values[2], values[0]) << "noise makes a larger JPEG";
  EXPECT_GT(values[3], 0);
  std::vector<float> alone(2);
  encoder.encode({1, kSide, kSide, std::span(both).subspan(flat.size())}, alone);
  EXPECT_EQ(alone[0], values[2]);
  EXPECT_EQ(alone[1], values[3]);
}

}  // namespace
