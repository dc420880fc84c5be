// decode.honour_orientation.
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "base/atomic_file.h"
#include "distort/scenes.h"
#include "distort/write_image.h"
#include "image/decode.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class DecodeOrientation : public testing::Test {
 protected:
  /// A rendered scene as JPEG bytes whose EXIF block says so.
  std::string jpeg(int width, int height, int orientation) {
    distort::write_jpeg(distort::render_scene(width, height, 5), folder_ / "scene.jpg", 90);
    auto bytes = base::read_file(folder_ / "scene.jpg");
    // One entry of type SHORT: tag 0x0112.
    std::string exif("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0", 32);
    exif[24] = static_cast<char>(orientation);
    std::string segment("\xFF\xE1\0", 3);
    segment += static_cast<char>(exif.size() + 2);
    return bytes.insert(2, segment + exif);
  }
  test::ScratchFolder folder_;
};

/// Where the pixel that a viewer shows at (x, y) of a turned picture lies in the file's of width w and height
/// h (EXIF 2.3, orientation).
std::pair<int, int> place(int orientation, int x, int y, int w, int h) {
  switch (orientation) {
    case 2:
      return {w - 1 - x, y};
    case 3:
      return {w - 1 - x, h - 1 - y};
    case 4:
      return {x, h - 1 - y};
    case 5:
      return {y, x};
    case 6:
      return {y, h - 1 - x};
    case 7:
      return {w - 1 - y, h - 1 - x};
    case 8:
      return {w - 1 - y, x};
    default:
      return {x, y};
  }
}

TEST_F(DecodeOrientation, EveryOrientationPutsEveryPixelWhereAViewerShowsIt) {
  constexpr int kWidth = 51;
  constexpr int kHeight = 34;
  const auto plain = decode(bytes_of(jpeg(kWidth, kHeight, 1)), {});
  ASSERT_EQ(plain.status, base::RowStatus::kOk) << plain.error;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto bytes = jpeg(kWidth, kHeight, orientation);
    EXPECT_EQ(decode(bytes_of(bytes), {}).image.pixels, plain.image.pixels) << "not asked for";
    const auto turned = decode(bytes_of(bytes), {.honour_orientation = true});
    ASSERT_EQ(turned.status, base::RowStatus::kOk) << turned.error;
    const bool sideways = orientation >= 5;
    ASSERT_EQ(turned.image.width, sideways ? kHeight : kWidth) << orientation;
    ASSERT_EQ(turned.image.height, sideways ? kWidth : kHeight) << orientation;
    int wrong = 0;
    for (int y = 0; y < turned.image.height; ++y) {
      for (int x = 0; x < turned.image.width; ++x) {
        const auto [from_x, from_y] = place(orientation, x, y, kWidth, kHeight);
        for (int c = 0; c < 3; ++c) {
          const auto at = static_cast<std::size_t>((y * turned.image.width + x) * 3 + c);
          const auto from = static_cast<std::size_t>((from_y * kWidth + from_x) * 3 + c);
          wrong += turned.image.pixels[at] != plain.image.pixels[from] ? 1 : 0;
        }
      }
    }
    EXPECT_EQ(wrong, 0) << "orientation " << orientation;
  }
}

}  // namespace
}  // namespace quasar::image
