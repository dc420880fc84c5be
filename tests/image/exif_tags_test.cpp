#include "image/exif_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>

#include "base/atomic_file.h"
#include "base/random.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Tags = std::vector<std::pair<std::string, std::string>>;

Tags tags_of(const std::string& bytes) {
  return exif_tags(std::as_bytes(std::span(bytes)));
}

/// A block of EXIF, written value by value.
class Block {
 public:
  explicit Block(bool big) : big_(big) {
    bytes_ = big ? std::string("MM\0*", 4) : std::string("II*\0", 4);
    add(8, 4);
  }
  void add(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes_ += static_cast<char>(value >> (8 * (big_ ? size - 1 - i : i)) & 0xFFU);
  }
  void entry(unsigned tag, unsigned type, unsigned count, std::uint64_t value, int size = 4) {
    add(tag, 2);
    add(type, 2);
    add(count, 4);
    add(value, size);
    bytes_.append(static_cast<std::size_t>(4 - size), '\0');
  }
  void text(std::string_view text) { bytes_ += text; }
  std::size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  bool big_;
  std::string bytes_;
};

/// A camera's: directories of the image, EXIF and GPS.
std::string camera(bool big) {
  Block block(big);
  block.add(6, 2);                        // At 8.
  block.entry(0x010F, 2, 10, 200);        // Make
  block.entry(0x0112, 3, 1, 6, 2);        // Orientation
  block.entry(0x011A, 5, 1, 210);         // XResolution
  block.entry(0x8769, 4, 1, 86);          // ExifOffset
  block.entry(0x8825, 4, 1, 140);         // GPSInfo
  block.entry(0x9999, 3, 2, 0x00010002);  // Unknown
  block.add(0, 4);
  EXPECT_EQ(block.size(), 86U);
  block.add(4, 2);
  block.entry(0x829A, 5, 1, 218);   // ExposureTime
  block.entry(0x9000, 7, 4, 0, 0);  // ExifVersion, below
  block.entry(0x9204, 10, 1, 226);  // ExposureBiasValue
  block.entry(0x927C, 7, 4, 0);     // MakerNote
  block.add(0, 4);
  EXPECT_EQ(block.size(), 140U);
  block.add(2, 2);
  block.entry(0x0002, 5, 3, 234);                      // GPSLatitude
  block.entry(0x0001, 2, 2, big ? 0x4E000000 : 0x4E);  // GPSLatitudeRef
  block.add(0, 4);
  block.text(std::string(200 - block.size(), '\0'));
  block.text(std::string("  Maker  \0", 10));
  block.add(72, 4);
  block.add(1, 4);
  block.add(10, 4);
  block.add(600, 4);
  block.add(static_cast<std::uint32_t>(-2), 4);
  block.add(3, 4);
  for (const int value : {52, 1, 30, 1, 15, 2}) block.add(static_cast<std::uint64_t>(value), 4);
  auto bytes = block.bytes();
  bytes.replace(86 + 2 + 12 + 8, 4, "0230");
  return bytes;
}

std::string big_number(std::size_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  return bytes;
}

std::string in_jpeg(const std::string& block) {
  const std::string jfif = std::string("\xFF\xD8\xFF\xE0\x00\x04zz", 8);
  return jfif + "\xFF\xE1" + big_number(block.size() + 8, 2) + std::string("Exif\0\0", 6) + block +
         "\xFF\xDA";
}

TEST(ExifTagsTest, NamesAndValuesAreThoseOfExifread) {
  for (const bool big : {false, true}) {
    EXPECT_THAT(tags_of(in_jpeg(camera(big))),
                ElementsAre(Pair("Image Make", "Maker"), Pair("Image Orientation", "6"),
                            Pair("Image XResolution", "72"), Pair("Image ExifOffset", "86"),
                            Pair("EXIF ExposureTime", "1/60"), Pair("EXIF ExifVersion", "0230"),
                            Pair("EXIF ExposureBiasValue", "-2/3"), Pair("Image GPSInfo", "140"),
                            Pair("GPS GPSLatitude", "[52, 30, 15/2]"), Pair("GPS GPSLatitudeRef", "N"),
                            Pair("Image Tag 0x9999", big ? "[1, 2]" : "[2, 1]")));
  }
}

TEST(ExifTagsTest, EveryFormatThatHoldsEXIF) {
  const auto block = camera(true);
  const auto tags = tags_of(block);
  ASSERT_EQ(tags.size(), 11U);
  EXPECT_EQ(tags_of(in_jpeg(block)), tags);
  const std::string png = std::string("\x89PNG\r\n\x1A\n") + big_number(2, 4) + "IHDRxx....";
  EXPECT_EQ(tags_of(png + big_number(block.size(), 4) + "eXIf" + block + "...."), tags);
  const std::string head = std::string("RIFF\0\0\0\0WEBPVP8X\3\0\0\0abc\0", 24);
  std::string size = big_number(block.size(), 4);
  std::reverse(size.begin(), size.end());
  EXPECT_EQ(tags_of(head + "EXIF" + size + block), tags);
  std::string marked = big_number(block.size() + 6, 4);
  std::reverse(marked.begin(), marked.end());
  EXPECT_EQ(tags_of(head + "EXIF" + marked + std::string("Exif\0\0", 6) + block), tags);
  EXPECT_THAT(tags_of(png), IsEmpty());
  EXPECT_THAT(tags_of("GIF89a"), IsEmpty());
  EXPECT_THAT(tags_of(""), IsEmpty());
}

TEST(ExifTagsTest, DirectoriesThatNameThemselvesEnd) {
  Block block(true);
  block.add(3, 2);
  block.entry(0x8769, 4, 1, 8);
  block.entry(0x8825, 4, 1, 8);
  block.entry(0x010F, 2, 3, 0x41420000);
  block.add(8, 4);
  EXPECT_THAT(tags_of(block.bytes()), ElementsAre(Pair("Image ExifOffset", "8"), Pair("Image GPSInfo", "8"),
                                                  Pair("Image Make", "AB")));
}

TEST(ExifTagsTest, CountsBeyondTheFileAndTheBoundsAreHeldTo) {
  Block block(true);
  block.add(60000, 2);
  for (unsigned i = 0; i < 1000; ++i) block.entry(0x6000 + i, 3, 0xFFFFFFFF, 10);
  const auto many = tags_of(block.bytes());
  std::size_t bytes = 0;
  for (const auto& [name, value] : many) bytes += name.size() + value.size();
  EXPECT_LE(many.size(), kMostExifTags);
  EXPECT_LE(bytes, kMostExifBytes);
  ASSERT_FALSE(many.empty());
  EXPECT_THAT(many[0].second, testing::EndsWith(", ... ]"));

  Block text(false);
  text.add(2, 2);
  text.entry(0x010E, 2, 100000, 38);
  text.entry(0x0131, 2, 8, 0xFFFFFFFF);
  text.add(0, 4);
  text.text(std::string(100000, 'x'));
  const auto described = tags_of(text.bytes());
  ASSERT_EQ(described.size(), 1U);
  EXPECT_EQ(described[0].second, std::string(1000, 'x'));
}

TEST(ExifTagsTest, DamageAnywhereIsNoWorseThanLostTags) {
  const auto picture = in_jpeg(camera(true));
  for (std::size_t size = 0; size < picture.size(); ++size)
    EXPECT_LE(tags_of(picture.substr(0, size)).size(), 11U);
  const auto block = camera(false);
  for (std::size_t size = 0; size < block.size(); ++size)
    EXPECT_LE(tags_of(block.substr(0, size)).size(), 11U);
  base::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    auto damaged = i % 2 == 0 ? block : picture;
    for (auto left = 1 + random.below(6); left > 0; --left)
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    std::size_t bytes = 0;
    for (const auto& [name, value] : tags_of(damaged)) bytes += name.size() + value.size();
    EXPECT_LE(bytes, kMostExifBytes);
  }
}

TEST(ExifTagsTest, PicturesOfPillowsTests) {
  const auto folder = test::shared_data() / "data" / "odd" / "pillow";
  QUASAR_REQUIRE_DATA(folder);
  const auto of = [&](const char* name) {
    const auto tags = tags_of(base::read_file(folder / name, std::size_t{1} << 26U));
    return std::map<std::string, std::string>(tags.begin(), tags.end());
  };
  EXPECT_THAT(of("exif_gps.jpg"),
              testing::AllOf(testing::Contains(Pair("EXIF DateTimeOriginal", "2099:09:29 10:10:10")),
                             testing::Contains(Pair("EXIF ExposureBiasValue", "-2147483647/2147483648")),
                             testing::Contains(Pair("GPS GPSVersionID", "[0, 0, 0, 1]"))));
  EXPECT_THAT(of("exif-dpi-zerodivision.jpg"), testing::Not(IsEmpty()));
  EXPECT_THAT(of("exif.png"), testing::Not(IsEmpty()));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.file_size() > (1U << 22U)) continue;
    EXPECT_LE(of(entry.path().c_str()).size(), kMostExifTags);
  }
}

}  // namespace
}  // namespace quasar::image
