#include "image/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/atomic_file.h"
#include "distort/write_image.h"
#include "image/resize.h"
#include "support/safetensors_reader.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

const std::filesystem::path kGolden = test::shared_data() / "golden" / "preprocess";

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// Pixels [h, w, 3] as planes [3, h, w], the layout of the golden tensors.
std::vector<std::uint8_t> planes(const RgbImage& image) {
  std::vector<std::uint8_t> result;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = c; i < image.pixels.size(); i += 3) result.push_back(image.pixels[i]);
  }
  return result;
}

/// The pictures of a folder of golden cases; beside each lie its results, under names with more dots.
std::vector<std::filesystem::path> golden_pictures(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> pictures;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto file = entry.path().filename().string();
    if (file.find('.') == file.rfind('.') && (file.ends_with(".png") || file.ends_with(".jpg")))
      pictures.push_back(entry.path());
  }
  return pictures;
}

/// How many pictures of a folder were compared with Pillow's result at 224 px.
int compare_at_224(const std::filesystem::path& folder) {
  const test::SafetensorsReader io(folder / "io_u8.safetensors");
  int checked = 0;
  for (const auto& picture : golden_pictures(folder)) {
    const std::string file = picture.filename().string();
    const auto prepared = prepare(bytes_of(base::read_file(picture)), {}, base::InputSpec{});
    EXPECT_EQ(prepared.status, base::RowStatus::kOk) << file << ": " << prepared.error;
    const std::string name = underscored(file) + ".resize224_u8";
    const bool interleaved = io.shape(name).back() == 3;
    EXPECT_EQ(interleaved ? prepared.image.pixels : planes(prepared.image), io.values<std::uint8_t>(name))
        << file;
    ++checked;
  }
  return checked;
}

/// How many results at 512 px and of the native size were compared.
int compare_at_512_and_native(const std::filesystem::path& folder) {
  const base::InputSpec spec512{.resize = base::ResizeRule::kShorterSide, .size = 512, .center_crop = false};
  int checked = 0;
  for (const auto& picture : golden_pictures(folder)) {
    const auto bytes = base::read_file(picture);
    for (const auto& [suffix, spec] :
         {std::pair(std::string(".resize512_rgb.png"), spec512),
          std::pair(std::string(".decoded_rgb.png"), base::InputSpec{.resize = base::ResizeRule::kNone})}) {
      const auto expected_file = folder / (underscored(picture.filename().string()) + suffix);
      if (!std::filesystem::exists(expected_file)) continue;
      const auto expected = decode(bytes_of(base::read_file(expected_file)), {});
      const auto actual = prepare(bytes_of(bytes), {}, spec);
      EXPECT_EQ(actual.status, base::RowStatus::kOk) << picture;
      EXPECT_EQ(actual.image.width, expected.image.width) << picture << suffix;
      EXPECT_EQ(actual.image.pixels, expected.image.pixels) << picture << suffix;
      ++checked;
    }
  }
  return checked;
}

TEST(Prepare, EqualsPillowBitForBit) {
  const auto kept = test::test_file("golden/preprocess");
  EXPECT_EQ(compare_at_224(kept), 4);
  EXPECT_EQ(compare_at_512_and_native(kept), 5);
}

TEST(Prepare, EqualsPillowBitForBitAt224) {
  QUASAR_REQUIRE_DATA(kGolden);
  EXPECT_EQ(compare_at_224(kGolden), 12);
}

TEST(Prepare, EqualsPillowBitForBitAt512AndNative) {
  QUASAR_REQUIRE_DATA(kGolden);
  EXPECT_GE(compare_at_512_and_native(kGolden), 12);
}

/// Smallest PNG-like inputs, made here so that a bare clone tests the statuses too.
TEST(Decode, EveryRefusalHasItsStatus) {
  using base::RowStatus;
  EXPECT_EQ(decode({}, {}).status, RowStatus::kEmpty);
  EXPECT_EQ(decode(bytes_of("hello, this is no image"), {}).status, RowStatus::kUnknownFormat);
  EXPECT_EQ(decode(bytes_of("BM and then nothing that matters"), {}).status, RowStatus::kBlockedFormat);
  EXPECT_EQ(decode(bytes_of("<svg xmlns='http://www.w3.org/2000/svg'/>"), {}).status,
            RowStatus::kBlockedFormat);
  EXPECT_EQ(decode(bytes_of("\x89PNG\r\n\x1a\n broken header follows"), {}).status, RowStatus::kBadHeader);
  EXPECT_EQ(decode(bytes_of(std::string(100, 'x')), {.max_file_bytes = 99}).status, RowStatus::kTooManyBytes);
}

TEST(Decode, LimitsAreCheckedAgainstTheHeader) {
  const auto file = kGolden / "land.png";
  QUASAR_REQUIRE_DATA(file);
  const auto bytes = base::read_file(file);
  EXPECT_EQ(decode(bytes_of(bytes), {.max_pixels = 301 * 200 - 1}).status, base::RowStatus::kTooManyPixels);
  EXPECT_EQ(decode(bytes_of(bytes), {.max_side = 300}).status, base::RowStatus::kTooManyPixels);
  EXPECT_EQ(decode(bytes_of(bytes), {.min_side = 201}).status, base::RowStatus::kTooSmall);
  const auto fine =
      decode(bytes_of(bytes), {.max_pixels = std::int64_t{301} * 200, .max_side = 301, .min_side = 200});
  EXPECT_EQ(fine.status, base::RowStatus::kOk) << fine.error;
  EXPECT_EQ(fine.format, "png");
  EXPECT_EQ(prepare(bytes_of(bytes), {}, {.min_side = 256}).status, base::RowStatus::kTooSmall);
}

TEST(Decode, TruncatedFilesFailAtEveryLength) {
  for (const char* name : {"land.png", "land_q90_420.jpg"}) {
    const auto file = kGolden / name;
    QUASAR_REQUIRE_DATA(file);
    const auto bytes = base::read_file(file);
    for (std::size_t cut = 1; cut < 10; ++cut) {
      const auto result = decode(bytes_of(bytes.substr(0, bytes.size() * cut / 10)), {});
      EXPECT_NE(result.status, base::RowStatus::kOk) << name << " cut to " << cut << "0 %";
      EXPECT_FALSE(result.error.empty());
      EXPECT_TRUE(result.image.pixels.empty());
    }
  }
}

TEST(Decode, WhatIsNotOpenedIsNamedByItsContent) {
  using namespace std::string_literals;
  const std::pair<std::string, const char*> cases[] = {
      {"\0\0\0\x0CjP  \r\n"s, "JPEG 2000"}, {"\xFF\x0A and more"s, "JPEG XL"},
      {"\x24\x8F\x01\0\x11\xAF"s, "FLIC"},  {"\0\0\x02\0\0\0\0\0\0\0"s, "TGA"},
      {"\0\0\x01\0\x01\0"s, "icon"},
  };
  for (const auto& [bytes, name] : cases) {
    const auto result = decode(bytes_of(bytes), {});
    EXPECT_EQ(result.status, base::RowStatus::kBlockedFormat) << name;
    EXPECT_NE(result.error.find(name), std::string::npos) << result.error;
  }
  EXPECT_EQ(decode(bytes_of("II*\0\xFF\xFF\xFF\xFF"s), {}).status, base::RowStatus::kBadHeader);
}

TEST(Decode, OrientationIsIgnoredUnlessAskedFor) {
  const auto file = kGolden / "big_q80_420_progressive_exif6.jpg";
  QUASAR_REQUIRE_DATA(file);
  const auto bytes = base::read_file(file);
  const auto plain = decode(bytes_of(bytes), {});
  const auto turned = decode(bytes_of(bytes), {.honour_orientation = true});
  ASSERT_EQ(turned.status, base::RowStatus::kOk) << turned.error;
  EXPECT_EQ(plain.image.width, turned.image.height);
  EXPECT_EQ(plain.image.height, turned.image.width);
}

TEST(Decode, EveryOddFileGetsAStatus) {
  const auto folder = test::shared_data() / "data" / "odd";
  QUASAR_REQUIRE_DATA(folder);
  std::map<base::RowStatus, int> counts;
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const auto result =
        prepare(bytes_of(base::read_file(entry.path())), {.max_pixels = 50'000'000}, base::InputSpec{});
    ++counts[result.status];
    ++files;
    EXPECT_EQ(result.status == base::RowStatus::kOk, result.error.empty()) << entry.path();
    EXPECT_EQ(result.status == base::RowStatus::kOk, result.image.pixels.size() == std::size_t{224} * 224 * 3)
        << entry.path();
  }
  EXPECT_GT(files, 1000);
  EXPECT_GT(counts[base::RowStatus::kOk], 400);
  EXPECT_GT(counts[base::RowStatus::kDecodeFailed], 5);
  EXPECT_GT(counts[base::RowStatus::kBadHeader], 1);
  for (const auto& [status, count] : counts) RecordProperty(std::string(base::status_name(status)), count);
}

TEST(Decode, AdmissionIsAskedOnceWithWhatTheHeaderTells) {
  test::ScratchFolder folder;
  distort::write_jpeg(RgbImage(1000, 640), folder / "plain.jpg", 90);
  const auto bytes = base::read_file(folder / "plain.jpg");
  std::vector<Header> asked;
  const Admission admit = [&](const Header& header) {
    asked.push_back(header);
    return asked.size() == 1;
  };
  const DecodeConfig fast{.mode = DecodeMode::kFast};
  EXPECT_EQ(prepare(bytes_of(bytes), fast, {.size = 100}, admit).status, base::RowStatus::kOk);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].format, "jpeg");
  EXPECT_EQ(asked[0].width, 1000);
  EXPECT_EQ(asked[0].decoded_height, 320) << "half of it still has more than twice the side";
  EXPECT_EQ(asked[0].channels, 3);
  EXPECT_FALSE(asked[0].whole_passes);
  EXPECT_EQ(asked[0].file_bytes, bytes.size());
  const auto refused = decode(bytes_of(bytes), {}, admit);
  EXPECT_EQ(refused.status, base::RowStatus::kOutOfMemory);
  EXPECT_EQ(refused.width, 1000);
  decode(bytes_of(bytes), {.max_side = 999}, admit);
  EXPECT_EQ(asked.size(), 2U) << "what is refused by its header is not asked for";
}

/// A million rows in the resized picture, of which the crop wants 224.
TEST(Resize, WhatTheCropLeavesOutCostsNothing) {
  const Raster strip{2, 10'000, 4, false, std::vector<std::uint8_t>(80'000, 90)};
  EXPECT_EQ(fit(strip, base::InputSpec{}).pixels, std::vector<std::uint8_t>(std::size_t{224} * 224 * 3, 90));
}

TEST(Resize, TheCropOfTheWholeIsWhatIsComputedAlone) {
  for (const int channels : {1, 2, 3, 4}) {
    for (const auto& [width, height] : {std::pair(61, 47), std::pair(40, 200), std::pair(333, 32)}) {
      for (const bool palette : {false, true}) {
        Raster raster{width, height, channels, palette, {}};
        for (int i = 0; i < width * height * channels; ++i)
          raster.pixels.push_back(static_cast<std::uint8_t>(i * 7919 >> 3));
        const base::InputSpec cropped{.size = 32};
        const base::InputSpec whole{.size = 32, .center_crop = false};
        const auto full = fit(raster, whole);
        const auto part = fit(raster, cropped);
        const int left = static_cast<int>(std::nearbyint((full.width - 32) / 2.0));
        const int top = static_cast<int>(std::nearbyint((full.height - 32) / 2.0));
        for (int y = 0; y < 32; ++y) {
          for (int x = 0; x < 96; ++x) {
            ASSERT_EQ(part.pixels[static_cast<std::size_t>(y * 96 + x)],
                      full.pixels[static_cast<std::size_t>((y + top) * full.width * 3 + left * 3 + x)]);
          }
        }
      }
    }
  }
}

TEST(Resize, SquaresByTheTriangleEqualPillows) {
  const auto squared = [](int width, int height) {
    Raster raster{width, height, 3, false, {}};
    for (int i = 0; i < width * height * 3; ++i)
      raster.pixels.push_back(static_cast<std::uint8_t>(i * 7919 >> 3));
    const base::InputSpec square{.resize = base::ResizeRule::kSquare,
                                 .filter = base::ResizeFilter::kBilinear,
                                 .size = 4,
                                 .center_crop = false};
    EXPECT_TRUE(square.fixed_shape());
    EXPECT_EQ(fitted_size(width, height, square), std::pair(4, 4));
    EXPECT_EQ(resize_bilinear(raster, 4, 4).pixels, fit(raster, square).pixels);
    return fit(raster, square).pixels;
  };
  // What Image.frombytes("RGB", size, ...).resize((4, 4), Image.BILINEAR) gives in Pillow 9.4.
  EXPECT_EQ(squared(61, 47),
            (std::vector<std::uint8_t>{112, 129, 139, 112, 129, 137, 113, 130, 138, 113, 130, 138,
                                       128, 138, 117, 129, 137, 116, 129, 136, 117, 129, 136, 117,
                                       137, 117, 129, 137, 117, 130, 135, 116, 130, 135, 117, 130,
                                       116, 128, 140, 116, 129, 140, 115, 129, 140, 115, 129, 137}));
  EXPECT_EQ(squared(3, 2),
            (std::vector<std::uint8_t>{0,   221, 187, 96,  157, 123, 115, 81,  143, 51, 17,  239,
                                       51,  208, 174, 107, 144, 110, 102, 92,  130, 38, 68,  226,
                                       153, 183, 149, 129, 119, 85,  77,  115, 104, 13, 171, 200,
                                       204, 170, 136, 140, 106, 72,  64,  126, 91,  0,  222, 187}));
}

TEST(Resize, SameSizeIsTheIdentityAndConstantsStayConstant) {
  Raster raster{5, 4, 3, false, std::vector<std::uint8_t>(60, 117)};
  raster.pixels[7] = 3;
  EXPECT_EQ(resize_bicubic(raster, 5, 4).pixels, raster.pixels);
  const Raster constant{9, 7, 4, false, std::vector<std::uint8_t>(std::size_t{9} * 7 * 4, 200)};
  for (const auto value : resize_bicubic(constant, 4, 13).pixels) EXPECT_NEAR(value, 200, 1);
}

}  // namespace
}  // namespace quasar::image
