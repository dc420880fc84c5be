// What is ok is whole: pictures that lost a part of their data, and such as are merely odd.
#include <gmock/gmock.h>
#include <vips/vips.h>

#include <cstring>
#include <utility>

#include "base/atomic_file.h"
#include "distort/scenes.h"
#include "image/decode.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

using base::RowStatus;
using testing::HasSubstr;
using testing::MatchesRegex;
using namespace std::string_literals;

constexpr DecodeConfig kKeep = {.truncated = TruncatedPictures::kKeep};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A rendered scene as libvips writes it to a file of that suffix and options.
std::string encoded(const std::string& suffix, int width = 320, int height = 200) {
  auto scene = distort::render_scene(width, height, 5);
  VipsImage* image = vips_image_new_from_memory(scene.pixels.data(), scene.pixels.size(), width, height, 3,
                                                VIPS_FORMAT_UCHAR);
  image->Type = VIPS_INTERPRETATION_sRGB;
  void* buffer = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(vips_image_write_to_buffer(image, suffix.c_str(), &buffer, &size, nullptr), 0)
      << suffix << ": " << vips_error_buffer();
  vips_error_clear();
  g_object_unref(image);
  std::string bytes(static_cast<const char*>(buffer), size);
  g_free(buffer);
  return bytes;
}

/// Where a marker stands that is followed by a segment; npos for none.
std::size_t find_marker(const std::string& jpeg, char marker) {
  std::size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    if (jpeg[at + 1] == marker) return at;
    at += 2 + (static_cast<std::size_t>(static_cast<unsigned char>(jpeg[at + 2])) << 8U |
               static_cast<unsigned char>(jpeg[at + 3]));
  }
  return std::string::npos;
}

std::string with_segment(const std::string& jpeg, char marker, const std::string& content) {
  const std::size_t size = content.size() + 2;
  return jpeg.substr(0, 2) + '\xFF' + marker + static_cast<char>(size >> 8U) +
         static_cast<char>(size & 0xFFU) + content + jpeg.substr(2);
}

const std::string kEnd = "\xFF\xD9"s;

class HalfOf : public testing::TestWithParam<const char*> {};

TEST_P(HalfOf, IsNotOk) {
  const std::string whole = encoded(GetParam());
  const auto decoded = decode(bytes_of(whole), {});
  ASSERT_EQ(decoded.status, RowStatus::kOk) << decoded.error;
  EXPECT_EQ(decode(bytes_of(whole), kKeep).error, "") << "what is whole is not said to be truncated";
  for (const std::size_t part : {5U, 30U, 50U, 70U, 90U}) {
    const auto cut = whole.substr(0, whole.size() * part / 100);
    const auto lost = decode(bytes_of(cut), {});
    EXPECT_NE(lost.status, RowStatus::kOk) << part << " %";
    EXPECT_TRUE(lost.image.pixels.empty());
    EXPECT_FALSE(lost.error.empty());
    const auto kept = decode(bytes_of(cut), kKeep);
    if (kept.status != RowStatus::kOk) continue;
    EXPECT_THAT(kept.error, MatchesRegex("truncated: (all rows|[0-9]+ of 200 rows) are there.*; .+"))
        << part << " %";
    EXPECT_EQ(kept.image.pixels.size(), decoded.image.pixels.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, HalfOf,
                         testing::Values(".jpg[Q=90]", ".jpg[Q=90,subsample_mode=off]",
                                         ".jpg[Q=90,interlace]", ".png", ".png[interlace]", ".png[palette]",
                                         ".webp[Q=90]", ".webp[lossless]", ".gif", ".tif", ".tif[tile]",
                                         ".tif[compression=lzw]",
                                         ".tif[compression=deflate,predictor=horizontal]",
                                         ".tif[compression=packbits]", ".tif[compression=jpeg]",
                                         ".heic[compression=av1,effort=0]"));

TEST(Half, OfFormatsThatGiveNoPartSaysWhereTheFileEnds) {
  const auto webp = encoded(".webp[Q=90]");
  EXPECT_THAT(decode(bytes_of(webp.substr(0, 100)), {}).error,
              HasSubstr("the file ends after 100 of the " + std::to_string(webp.size()) +
                        " bytes that its header states"));
  // libvips's writer puts the directory behind the pixels.
  const auto tiff = encoded(".tif[compression=lzw]");
  const auto cut = decode(bytes_of(tiff.substr(0, 1000)), {});
  EXPECT_EQ(cut.status, RowStatus::kBadHeader);
  EXPECT_THAT(cut.error,
              MatchesRegex("the content begins as TIFF, and its directory cannot be read: it stands "
                           "at byte [0-9]+, and the file ends after 1000"));
}

/// Rows from the top of a kept picture that are those of the whole one.
int rows_in_common(const RgbImage& kept, const RgbImage& whole) {
  const auto line = static_cast<std::size_t>(whole.width) * 3;
  int rows = 0;
  while (rows < whole.height &&
         std::memcmp(kept.pixels.data() + static_cast<std::size_t>(rows) * line,
                     whole.pixels.data() + static_cast<std::size_t>(rows) * line, line) == 0) {
    ++rows;
  }
  return rows;
}

TEST(Keep, WhatIsSaidToBeThereIsThere) {
  for (const char* suffix :
       {".jpg[Q=90,subsample_mode=off]", ".png", ".gif", ".tif[compression=lzw,tile_height=16]"}) {
    std::string bytes = encoded(suffix);
    const auto whole = decode(bytes_of(bytes), {});
    // A TIFF's directory is at its end.
    const bool tiff = std::string(suffix).starts_with(".tif");
    if (tiff) {
      for (std::size_t i = bytes.size() / 2; i < bytes.size() * 3 / 4; ++i) bytes[i] = '\xFF';
    } else {
      bytes.resize(bytes.size() / 2);
    }
    const auto kept = decode(bytes_of(bytes), kKeep);
    ASSERT_EQ(kept.status, RowStatus::kOk) << suffix << ": " << kept.error;
    int said = 0;
    ASSERT_EQ(std::sscanf(kept.error.c_str(), "truncated: %d of 200 rows", &said), 1) << kept.error;
    EXPECT_GT(said, 30) << suffix;
    EXPECT_LT(said, 170) << suffix;
    EXPECT_GE(rows_in_common(kept.image, whole.image), said) << suffix << ": " << kept.error;
    const auto failed = decode(bytes_of(bytes), {});
    EXPECT_EQ(failed.status, RowStatus::kDecodeFailed);
    EXPECT_EQ("truncated: " + failed.error, kept.error);
  }
}

TEST(Keep, IsAChoiceOfTheConfigurationAndItsFingerprint) {
  const auto node = base::ConfigNode::parse_text("truncated: keep", "c.yaml");
  EXPECT_EQ(decode_config_from_yaml(node).truncated, TruncatedPictures::kKeep);
  EXPECT_NE(describe(kKeep), describe(DecodeConfig{}));
  EXPECT_THROW(decode_config_from_yaml(base::ConfigNode::parse_text("truncated: maybe", "c.yaml")),
               base::Error);
}

TEST(Jpeg, DataThatEndEarlyAreNotedWhateverStandsBehindThem) {
  for (const char* suffix : {".jpg[Q=90]", ".jpg[Q=90,interlace]"}) {
    const std::string whole = encoded(suffix);
    const auto expected = decode(bytes_of(whole), {});
    for (const std::size_t part : {40U, 60U, 80U}) {
      const std::string half = whole.substr(0, whole.size() * part / 100);
      for (const auto& behind :
           {""s, kEnd, "\xFF\xC4"s, "\xFF\xC4\0\x03\0"s + kEnd, "\xFF\xDB"s + whole.substr(2), whole,
            "\xFF\xE3 a marker of an application"s, std::string(200, '\xFF') + "\xE3"s + half}) {
        const auto result = decode(bytes_of(half + behind), {});
        EXPECT_EQ(result.status, RowStatus::kDecodeFailed)
            << suffix << ", " << part << " %, then " << behind.substr(0, 2);
        EXPECT_THAT(result.error, HasSubstr("rows are there"));
        const auto kept = decode(bytes_of(half + behind), kKeep);
        if (kept.status != RowStatus::kOk) continue;
        EXPECT_NE(kept.image.pixels, expected.image.pixels);
        EXPECT_THAT(kept.error, HasSubstr("truncated: "));
      }
    }
  }
}

TEST(Jpeg, DecodedSmallerItIsJudgedTheSame) {
  const std::string whole = encoded(".jpg[Q=90]", 640, 400);
  const DecodeConfig fast{.mode = DecodeMode::kFast};
  const base::InputSpec spec{.size = 64};
  EXPECT_EQ(prepare(bytes_of(whole), fast, spec).status, RowStatus::kOk);
  const auto half = prepare(bytes_of(whole.substr(0, whole.size() / 2) + kEnd), fast, spec);
  EXPECT_EQ(half.status, RowStatus::kDecodeFailed);
  auto keep = fast;
  keep.truncated = TruncatedPictures::kKeep;
  const auto kept = prepare(bytes_of(whole.substr(0, whole.size() / 2) + kEnd), keep, spec);
  EXPECT_EQ(kept.status, RowStatus::kOk);
  EXPECT_EQ("truncated: " + half.error, kept.error);
}

/// A progressive file that ends between two passes: no data of those that are there are missing.
TEST(Jpeg, MissingPassesAreNoted) {
  const std::string whole = encoded(".jpg[Q=90,interlace]");
  int ends = 0;
  for (std::size_t at = find_marker(whole, '\xDA') + 4;
       (at = whole.find("\xFF\xDA", at)) != std::string::npos; ++at) {
    // Tables of the next pass stand before it.
    for (const auto& end : {""s, kEnd}) {
      const auto result = decode(bytes_of(whole.substr(0, at) + end), {});
      EXPECT_EQ(result.status, RowStatus::kDecodeFailed) << "cut at " << at;
      EXPECT_THAT(result.error, HasSubstr("less than their full detail"));
    }
    ++ends;
  }
  EXPECT_GT(ends, 5);
}

TEST(Jpeg, HarmlessOdditiesStayOk) {
  const std::string whole = encoded(".jpg[Q=90]");
  const auto expected = decode(bytes_of(whole), {});
  const std::size_t scan = find_marker(whole, '\xDA');
  const std::size_t tables = find_marker(whole, '\xC4');
  ASSERT_NE(scan, std::string::npos);
  ASSERT_NE(tables, std::string::npos);
  std::string samsung = whole;
  // Ss, Se and AhAl of a progressive file, in a baseline one.
  const std::size_t parameters = scan + 5 + static_cast<std::size_t>(samsung[scan + 4]) * 2;
  samsung[parameters] = 0;
  samsung[parameters + 1] = 0;
  const std::pair<const char*, std::string> cases[] = {
      {"Samsung's SOS parameters", samsung},
      {"bytes before a marker", whole.substr(0, tables) + std::string(12, '\x11') + whole.substr(tables)},
      {"bytes before the end mark", whole.substr(0, whole.size() - 2) + "\0\0\0\0"s + kEnd},
      {"no end mark", whole.substr(0, whole.size() - 2)},
      {"garbage behind", whole + std::string(5000, 'x')},
      {"zeros behind", whole + std::string(5000, '\0')},
      {"a line feed behind", whole + "\n"},
      {"another picture behind", whole + whole},
      {"half a picture behind", whole + whole.substr(0, whole.size() / 2)},
      {"broken EXIF", with_segment(whole, '\xE1', "Exif\0\0II*\0\xFF\xFF\xFF\xFF broken"s)},
      {"EXIF that ends at once", with_segment(whole, '\xE1', "Exif\0\0"s)},
      {"broken profile", with_segment(whole, '\xE2', "ICC_PROFILE\0\x03\x02 broken"s)},
      {"profile without content", with_segment(whole, '\xE2', "ICC_PROFILE\0\x01\x01"s)},
      {"broken XMP", with_segment(whole, '\xE1', "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"s)},
      {"broken JFIF", with_segment(whole, '\xE0', "JFIF\0\x07\x07"s)},
      {"a comment", with_segment(whole, '\xFE', "a comment that is no text \xFF\xD8\xFF\xD9"s)},
  };
  for (const auto& [name, bytes] : cases) {
    for (const auto& config : {DecodeConfig{}, kKeep}) {
      const auto result = decode(bytes_of(bytes), config);
      EXPECT_EQ(result.status, RowStatus::kOk) << name << ": " << result.error;
      EXPECT_EQ(result.error, "") << name;
      EXPECT_TRUE(result.image.pixels == expected.image.pixels) << name;
    }
  }
}

/// A chunk with its checksum left wrong, which libpng forgives where no pixels are in it.
std::string png_chunk(const std::string& type, const std::string& content) {
  std::string chunk(4, '\0');
  chunk[2] = static_cast<char>(content.size() >> 8U);
  chunk[3] = static_cast<char>(content.size() & 0xFFU);
  return chunk + type + content + "\x12\x34\x56\x78";
}

TEST(Png, HarmlessOdditiesStayOk) {
  const std::string whole = encoded(".png");
  const auto expected = decode(bytes_of(whole), {});
  constexpr std::size_t kAfterHeader = 8 + 25;
  for (const auto& odd :
       {whole + std::string(100, 'x'),
        whole.substr(0, kAfterHeader) + png_chunk("tEXt", "Comment\0 broken"s) + whole.substr(kAfterHeader),
        whole.substr(0, kAfterHeader) + png_chunk("iCCP", "broken"s) + whole.substr(kAfterHeader),
        whole.substr(0, kAfterHeader) + png_chunk("eXIf", "II*\0 broken"s) + whole.substr(kAfterHeader),
        whole.substr(0, whole.size() - 6)}) {
    const auto result = decode(bytes_of(odd), {});
    EXPECT_EQ(result.status, RowStatus::kOk) << result.error;
    EXPECT_TRUE(result.image.pixels == expected.image.pixels);
  }
}

TEST(Png, WhatLibpngSaysIsTheReason) {
  std::string bytes = encoded(".png");
  constexpr std::size_t kHeaderChecksum = 8 + 4 + 4 + 13;
  bytes[kHeaderChecksum] ^= 1;
  EXPECT_THAT(decode(bytes_of(bytes), {}).error, HasSubstr("IHDR: CRC error"));
  EXPECT_THAT(decode(bytes_of("\x89PNG\r\n\x1a\n broken header follows"), {}).error,
              testing::Not(testing::IsEmpty()));
}

TEST(Gif, LaterFramesMayBeBroken) {
  const std::string first = encoded(".gif");
  const auto expected = decode(bytes_of(first), {});
  // Without its end mark, and half of a second frame behind it.
  const std::string more = first.substr(0, first.size() - 1) + ",\0\0\0\0\x40\x01\xC8\0\0\x08\xFF half"s;
  const auto result = decode(bytes_of(more), {});
  ASSERT_EQ(result.status, RowStatus::kOk) << result.error;
  EXPECT_TRUE(result.image.pixels == expected.image.pixels);
}

/// A GIF of 4x4 pixels, two bits each, uncompressed: a clear code before every pixel.
std::string small_gif(const std::string& before, const std::string& descriptor, const std::string& codes) {
  return "GIF89a\x04\0\x04\0\x91\0\0\xFF\0\0\0\xFF\0\0\0\xFF\x0A\x14\x1E"s + before + ',' + descriptor +
         codes + ';';
}

TEST(Gif, TransparentPixelsAndThoseOutsideTheFrameHaveThePalettesColour) {
  // Codes of 3 bits, lowest first: clear, 3, 3 (as the code grows to 4 bits after the third), end.
  const std::string frame = "\x01\0\x01\0\x01\0\x01\0\0"s;  // One pixel at (1, 1).
  const std::string codes = "\x02\x02\x4C\x01\0"s;          // clear (4), pixel 1, end (5).
  const std::string transparent = "!\xF9\x04\x01\0\0\x03\0"s;
  const auto plain = decode(bytes_of(small_gif("", frame, codes)), {});
  ASSERT_EQ(plain.status, RowStatus::kOk) << plain.error;
  const auto at = [](const RgbImage& image, int x, int y) {
    const auto i = static_cast<std::size_t>(y * image.width + x) * 3;
    return std::array<int, 3>{image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]};
  };
  EXPECT_EQ(at(plain.image, 1, 1), (std::array{0, 255, 0}));
  EXPECT_EQ(at(plain.image, 0, 0), (std::array{255, 0, 0})) << "the first entry";
  const auto see_through = decode(bytes_of(small_gif(transparent, frame, codes)), {});
  ASSERT_EQ(see_through.status, RowStatus::kOk) << see_through.error;
  EXPECT_EQ(at(see_through.image, 1, 1), (std::array{0, 255, 0}));
  EXPECT_EQ(at(see_through.image, 3, 3), (std::array{10, 20, 30})) << "the transparent entry";
}

TEST(Gif, AFrameThatReachesBeyondTheScreenWidensIt) {
  const auto wide = decode(bytes_of(small_gif("", "\x05\0\x01\0\x01\0\x01\0\0"s, "\x02\x02\x4C\x01\0"s)), {});
  ASSERT_EQ(wide.status, RowStatus::kOk) << wide.error;
  EXPECT_EQ(wide.width, 6);
  EXPECT_EQ(wide.height, 4);
}

TEST(Gif, EveryPrefixAndEveryFlippedByteHasAnAnswer) {
  const std::string whole = encoded(".gif", 40, 30);
  // What stands behind the last pixel's code may be missing.
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {
    const auto result = decode(bytes_of(whole.substr(0, size)), {});
    ASSERT_NE(result.status, RowStatus::kOk) << size;
    ASSERT_FALSE(result.error.empty()) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\0', '\x7F', '\xFF'}) {
      auto changed = whole;
      changed[at] = value;
      const auto result = decode(bytes_of(changed), {.max_pixels = 1'000'000});
      ASSERT_EQ(result.status == RowStatus::kOk, result.error.empty()) << at << ": " << result.error;
    }
  }
}

TEST(Gif, InterlacedRowsGoToTheirPlaces) {
  // Rows of one colour each, in the order of the passes: 0; then 2 (of step 4); then 1 and 3.
  const std::string frame = "\0\0\0\0\x01\0\x04\0\x40"s;
  // 3-bit codes: clear 4, pixel 0, clear, pixel 1, clear, pixel 2, clear, pixel 3, end 5.
  std::string bits;
  std::uint32_t value = 0;
  unsigned held = 0;
  for (const unsigned code : {4U, 0U, 4U, 1U, 4U, 2U, 4U, 3U, 5U}) {
    value |= code << held;
    held += 3;
    for (; held >= 8; held -= 8, value >>= 8U) bits += static_cast<char>(value & 0xFFU);
  }
  bits += static_cast<char>(value & 0xFFU);
  const auto codes = "\x02"s + static_cast<char>(bits.size()) + bits + '\0';
  const auto result = decode(bytes_of(small_gif("", frame, codes)), {});
  ASSERT_EQ(result.status, RowStatus::kOk) << result.error;
  std::vector<int> greens;
  for (std::size_t y = 0; y < 4; ++y) greens.push_back(result.image.pixels[y * 4 * 3 + 1]);
  EXPECT_EQ(greens, (std::vector<int>{0, 0, 255, 20})) << "entries 0, 2, 1 and 3";
}

TEST(Heif, SidesBeyondLibheifsOwnLimitAreOpenedWithinOurs) {
  const auto folder = test::shared_data() / "data" / "reports" / "avif-wide";
  QUASAR_REQUIRE_DATA(folder);
  const auto wide = decode(bytes_of(base::read_file(folder / "p.avif")), {});
  EXPECT_EQ(wide.status, RowStatus::kOk) << wide.error;
  EXPECT_EQ(wide.width, 17000);
  const auto large = decode(bytes_of(base::read_file(folder / "17000x17000.avif")), {});
  EXPECT_EQ(large.status, RowStatus::kTooManyPixels) << large.error;
}

TEST(Heif, OfASequenceTheFirstPictureIsTaken) {
  const auto file = test::shared_data() / "data" / "odd" / "pillow" / "avif" / "star.avifs";
  QUASAR_REQUIRE_DATA(file);
  const auto result = decode(bytes_of(base::read_file(file)), {});
  EXPECT_EQ(result.status, RowStatus::kOk) << result.error;
  EXPECT_EQ(result.width, 159);
}

TEST(Reports, JpegsThatLostPixelsAreNotOk) {
  const auto folder = test::shared_data() / "data" / "reports" / "jpeg-lost-pixels-ok";
  QUASAR_REQUIRE_DATA(folder);
  for (const char* name : {"cut_half_with_eoi.jpg", "ff_run.jpg", "prog_cut70_eoi.jpg"})
    EXPECT_EQ(decode(bytes_of(base::read_file(folder / name)), {}).status, RowStatus::kDecodeFailed) << name;
  const auto odd = decode(bytes_of(base::read_file(folder / "extraneous-dqt.jpg")), {});
  EXPECT_EQ(odd.status, RowStatus::kOk) << odd.error;
}

}  // namespace
}  // namespace quasar::image
