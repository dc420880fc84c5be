// decode.mode: fast against exact.
#include <gtest/gtest.h>

#include <cmath>

#include "base/atomic_file.h"
#include "distort/scenes.h"
#include "distort/write_image.h"
#include "image/decode.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

constexpr DecodeConfig kFastConfig = {.mode = DecodeMode::kFast};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

base::InputSpec cropped(int size) {
  return {.size = size};
}

base::InputSpec whole(int size) {
  return {.size = size, .center_crop = false};
}

/// Root of the mean squared difference, in grey levels.
double difference(const RgbImage& a, const RgbImage& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::pow(a.pixels[i] - b.pixels[i], 2);
  return std::sqrt(sum / static_cast<double>(a.pixels.size()));
}

class DecodeFast : public testing::Test {
 protected:
  /// A rendered scene as JPEG bytes.
  std::string jpeg(int width, int height) {
    distort::write_jpeg(distort::render_scene(width, height, 5), folder_ / "scene.jpg", 90);
    return base::read_file(folder_ / "scene.jpg");
  }
  test::ScratchFolder folder_;
};

TEST_F(DecodeFast, ALargeJpegComesOutTheSameSizeAndNearlyTheSame) {
  const std::string bytes = jpeg(1003, 669);  // Neither side a multiple of 2, 4 or 8.
  for (const auto& spec :
       {cropped(64), whole(64), whole(100), whole(166),
        base::InputSpec{.resize = base::ResizeRule::kShorterSideAtMost, .size = 90, .center_crop = false}}) {
    const auto exact = prepare(bytes_of(bytes), {}, spec);
    const auto fast = prepare(bytes_of(bytes), kFastConfig, spec);
    ASSERT_EQ(fast.status, base::RowStatus::kOk) << fast.error;
    EXPECT_EQ(fast.width, 1003) << "the file's own size is what is reported";
    EXPECT_EQ(fast.height, 669);
    ASSERT_EQ(fast.image.width, exact.image.width) << spec.size;
    ASSERT_EQ(fast.image.height, exact.image.height) << spec.size;
    EXPECT_NE(fast.image.pixels, exact.image.pixels) << "nothing was shrunk for " << spec.size;
    EXPECT_LT(difference(exact.image, fast.image), 4.0) << spec.size;
  }
}

TEST_F(DecodeFast, NothingChangesWhereTwiceTheSideWouldNotRemain) {
  const std::string bytes = jpeg(600, 400);
  for (const auto& spec : {cropped(101), whole(101), whole(400), whole(512),
                           base::InputSpec{.resize = base::ResizeRule::kNone, .center_crop = false}}) {
    EXPECT_EQ(prepare(bytes_of(bytes), kFastConfig, spec).image.pixels,
              prepare(bytes_of(bytes), {}, spec).image.pixels)
        << spec.size;
  }
  EXPECT_NE(prepare(bytes_of(bytes), kFastConfig, whole(100)).image.pixels,
            prepare(bytes_of(bytes), {}, whole(100)).image.pixels);
}

TEST_F(DecodeFast, FormatsWithoutShrinkingStayExact) {
  distort::write_png(distort::render_scene(640, 480, 3), folder_ / "scene.png");
  const std::string bytes = base::read_file(folder_ / "scene.png");
  EXPECT_EQ(prepare(bytes_of(bytes), kFastConfig, cropped(32)).image.pixels,
            prepare(bytes_of(bytes), {}, cropped(32)).image.pixels);
}

TEST_F(DecodeFast, LimitsHoldForTheFileNotForWhatIsDecoded) {
  const std::string bytes = jpeg(600, 400);
  auto config = kFastConfig;
  config.max_pixels = 600 * 400 - 1;
  EXPECT_EQ(prepare(bytes_of(bytes), config, cropped(32)).status, base::RowStatus::kTooManyPixels);
  auto spec = cropped(32);
  spec.min_side = 400;
  EXPECT_EQ(prepare(bytes_of(bytes), kFastConfig, spec).status, base::RowStatus::kOk);
}

TEST_F(DecodeFast, TruncatedFilesFail) {
  const std::string bytes = jpeg(600, 400);
  const auto result = prepare(bytes_of(bytes.substr(0, bytes.size() / 2)), kFastConfig, cropped(32));
  EXPECT_EQ(result.status, base::RowStatus::kDecodeFailed);
}

TEST_F(DecodeFast, TurnedPicturesKeepTheirSides) {
  const auto file = test::shared_data() / "golden/preprocess/big_q80_420_progressive_exif6.jpg";
  QUASAR_REQUIRE_DATA(file);
  const std::string bytes = base::read_file(file);
  for (const bool honour : {false, true}) {
    auto config = kFastConfig;
    config.honour_orientation = honour;
    const auto fast = prepare(bytes_of(bytes), config, whole(64));
    config.mode = DecodeMode::kExact;
    const auto exact = prepare(bytes_of(bytes), config, whole(64));
    ASSERT_EQ(fast.status, base::RowStatus::kOk) << fast.error;
    EXPECT_EQ(fast.image.width, exact.image.width);
    ASSERT_EQ(fast.image.height, exact.image.height);
    EXPECT_LT(difference(exact.image, fast.image), 4.0);
  }
}

TEST_F(DecodeFast, WebPShrinksToo) {
  const auto folder = test::shared_data() / "data/photos/cid22";
  QUASAR_REQUIRE_DATA(folder);
  const std::string bytes = base::read_file(std::filesystem::directory_iterator(folder)->path());
  const auto exact = prepare(bytes_of(bytes), {}, whole(100));
  const auto fast = prepare(bytes_of(bytes), kFastConfig, whole(100));
  ASSERT_EQ(fast.status, base::RowStatus::kOk) << fast.error;
  EXPECT_EQ(fast.format, "webp");
  ASSERT_EQ(fast.image.pixels.size(), exact.image.pixels.size());
  EXPECT_NE(fast.image.pixels, exact.image.pixels);
  EXPECT_LT(difference(exact.image, fast.image), 6.0);
}

TEST(DecodeConfig, TheModeIsPartOfTheFingerprint) {
  EXPECT_NE(describe(DecodeConfig{}), describe(kFastConfig));
  const auto node = base::ConfigNode::parse_text("mode: fast", "c.yaml");
  EXPECT_EQ(decode_config_from_yaml(node).mode, DecodeMode::kFast);
  EXPECT_THROW(decode_config_from_yaml(base::ConfigNode::parse_text("mode: quick", "c.yaml")), base::Error);
}

}  // namespace
}  // namespace quasar::image
