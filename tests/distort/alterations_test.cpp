#include "distort/alterations.h"

#include <gtest/gtest.h>

#include <set>

#include "base/errors.h"
#include "distort/scenes.h"
#include "image/pdq.h"
#include "support/shared_vips.h"

namespace quasar::distort {
namespace {

using image::RgbImage;

image::PdqHash hash(const RgbImage& image) {
  return image::pdq_hash(image.pixels, image.width, image.height, 3);
}

const Alteration& named(std::string_view name) {
  for (const auto& alteration : alterations()) {
    if (alteration.name == name) return alteration;
  }
  throw std::runtime_error("no alteration is named so");
}

TEST(AlterationsTest, FortyKindsOfDistinctNamesInOrderOfTheirGroups) {
  std::set<std::string_view> names;
  std::array<int, kAlterationGroups> groups{};
  auto last = AlterationGroup::kSameFrame;
  for (const auto& alteration : alterations()) {
    EXPECT_TRUE(names.insert(alteration.name).second) << alteration.name;
    EXPECT_GE(alteration.group, last);
    last = alteration.group;
    ++groups[static_cast<std::size_t>(alteration.group)];
  }
  EXPECT_EQ(names.size(), 40U);
  for (const int count : groups) EXPECT_GT(count, 0);
}

TEST(AlterationsTest, EveryKindChangesAPictureTheSameWayForASeedDownToTheLeastSide) {
  for (const auto& [width, height] : {std::pair(160, 120), std::pair(64, 200)}) {
    const auto picture = render_scene(width, height, 4);
    for (const auto& alteration : alterations()) {
      const auto copy = altered(picture, alteration, 7);
      ASSERT_EQ(copy.pixels.size(), static_cast<std::size_t>(copy.width) * copy.height * 3);
      EXPECT_GT(std::min(copy.width, copy.height), 8) << alteration.name;
      EXPECT_NE(copy.pixels, picture.pixels) << alteration.name;
      EXPECT_EQ(copy.pixels, altered(picture, alteration, 7).pixels) << alteration.name;
    }
  }
  EXPECT_THROW(altered(RgbImage(200, 63), alterations().front(), 1), base::Error);
}

TEST(AlterationsTest, FramesAreMovedByTheSharesThatTheNamesSay) {
  const auto picture = render_scene(200, 100, 5);
  const auto size = [&](std::string_view name) {
    const auto copy = altered(picture, named(name), 1);
    return std::pair(copy.width, copy.height);
  };
  EXPECT_EQ(size("crop 10%"), std::pair(180, 90));
  EXPECT_EQ(size("crop 10%, one corner"), std::pair(180, 90));
  EXPECT_EQ(size("border 5%"), std::pair(210, 110));
  EXPECT_EQ(size("letterbox 4:3"), std::pair(200, 134));
  EXPECT_EQ(size("turn 90 degrees"), std::pair(100, 200));
  EXPECT_EQ(size("scale 50%"), std::pair(100, 50));
  EXPECT_EQ(size("turn 3 degrees"), std::pair(200, 100));
}

TEST(AlterationsTest, MirroredAndTurnedCopiesHaveThePosesOfTheHash) {
  const auto picture = render_scene(256, 256, 6);
  const auto poses = image::pdq_hashes(picture.pixels, picture.width, picture.height, 3);
  for (const auto& alteration : alterations()) {
    if (alteration.group != AlterationGroup::kMirrored) continue;
    const auto copy = hash(altered(picture, alteration, 1));
    int least = 256;
    for (std::size_t pose = 1; pose < poses.size(); ++pose)
      least = std::min(least, image::hamming_distance(poses[pose], copy));
    EXPECT_LE(least, 60) << alteration.name;
    EXPECT_GT(image::hamming_distance(poses[0], copy), 60) << alteration.name;
  }
  auto turned = picture;
  for (int i = 0; i < 4; ++i) turned = altered(turned, named("turn 90 degrees"), 1);
  EXPECT_EQ(turned.pixels, picture.pixels);
  const auto back = altered(altered(picture, named("turn 90 degrees"), 1), named("turn 270 degrees"), 1);
  EXPECT_EQ(back.pixels, picture.pixels);
}

}  // namespace
}  // namespace quasar::distort
