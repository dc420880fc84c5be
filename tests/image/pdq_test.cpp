#include "image/pdq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

struct Picture {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// A binary PGM or PPM without comments.
Picture read_netpbm(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  int most = 0;
  Picture picture;
  file >> kind >> picture.width >> picture.height >> most;
  file.get();
  picture.channels = kind == "P6" ? 3 : 1;
  picture.pixels.resize(static_cast<std::size_t>(picture.width * picture.height * picture.channels));
  file.read(reinterpret_cast<char*>(picture.pixels.data()),
            static_cast<std::streamsize>(picture.pixels.size()));
  EXPECT_EQ(most, 255) << path;
  EXPECT_TRUE(file) << path;
  return picture;
}

TEST(Pdq, IsTheAuthorsOwnOnEqualPixelsInEveryPose) {
  const auto folder = test::shared_data() / "golden" / "curation" / "pdq";
  QUASAR_REQUIRE_DATA(folder);
  std::ifstream table(folder / "pixels.csv");
  std::string line;
  std::getline(table, line);
  int tested = 0;
  while (std::getline(table, line)) {
    if (line.ends_with('\r')) line.pop_back();
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    ASSERT_EQ(row.size(), 4 + kPdqPoses) << line;
    const auto picture = read_netpbm(folder / row[0]);
    const auto hashes = pdq_hashes(picture.pixels, picture.width, picture.height, picture.channels);
    for (std::size_t pose = 0; pose < kPdqPoses; ++pose) {
      EXPECT_EQ(hashes[pose].hex(), row[4 + pose]) << row[0] << ", pose " << pose;
      EXPECT_EQ(hashes[pose].quality, std::stoi(row[3])) << row[0];
    }
    EXPECT_EQ(pdq_hash(picture.pixels, picture.width, picture.height, picture.channels), hashes[0]);
    ++tested;
  }
  EXPECT_GE(tested, 5);
}

TEST(Pdq, ATinyPictureHasNoHash) {
  const std::vector<std::uint8_t> pixels(4 * 9 * 3, 200);
  EXPECT_EQ(pdq_hash(pixels, 4, 9, 3), PdqHash{});
  EXPECT_EQ(pdq_hash({}, 0, 0, 3).hex(), std::string(64, '0'));
}

TEST(Pdq, AThinPictureThatIsThinnedOutHasTheHashOfWhatIsLeft) {
  constexpr int kThin = 4;
  constexpr int kLong = 700;
  constexpr int kLeft = 512;
  base::Random random(11);
  std::vector<std::uint8_t> pixels(std::size_t{kThin} * kLong);
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  std::vector<std::uint8_t> left;
  for (int y = 0; y < kLeft; ++y) {
    for (int x = 0; x < kLeft; ++x)
      left.push_back(pixels[static_cast<std::size_t>(y * kThin / kLeft * kLong + x * kLong / kLeft)]);
  }
  const auto hash = pdq_hash(pixels, kLong, kThin, 1);
  EXPECT_EQ(hash, pdq_hash(left, kLeft, kLeft, 1));
  EXPECT_GT(hash.quality, 0);
}

/// Of a picture in its file's own layout.
std::vector<PdqHash> hashes_of(const Raster& raster, std::size_t poses) {
  PdqRows rows;
  rows.take(raster);
  return rows.hashes(poses);
}

TEST(Pdq, OfAPictureInItsFilesLayoutIsThatOfItsRgb) {
  base::Random random(3);
  for (const auto& [width, height] : {std::pair(64, 64), std::pair(5, 9), std::pair(37, 201),
                                      std::pair(700, 30), std::pair(513, 512), std::pair(900, 1300)}) {
    for (const bool cmyk : {false, true}) {
      for (int channels = cmyk ? 4 : 1; channels <= 4; ++channels) {
        Raster raster{width, height, channels, false, {}, cmyk};
        raster.pixels.resize(static_cast<std::size_t>(width * height * channels));
        // Smooth enough for a hash, with some noise.
        for (std::size_t i = 0; i < raster.pixels.size(); ++i) {
          raster.pixels[i] = static_cast<std::uint8_t>((i / 97 % 200) + random.below(40));
        }
        const auto rgb = to_rgb(raster);
        const auto expected = pdq_hashes(rgb.pixels, width, height, 3);
        const auto poses = hashes_of(raster, kPdqPoses);
        EXPECT_TRUE(std::equal(poses.begin(), poses.end(), expected.begin()))
            << width << "x" << height << ", " << channels;
        EXPECT_EQ(hashes_of(raster, 1).at(0), expected[0]);
      }
    }
  }
  EXPECT_EQ(hashes_of(Raster{4, 4, 1, false, std::vector<std::uint8_t>(16), false}, 1).at(0), PdqHash{});
}

TEST(Pdq, RefusesBytesThatAreNoPicture) {
  const std::vector<std::uint8_t> pixels(100, 0);
  EXPECT_THROW(pdq_hash(pixels, 10, 10, 3), base::Error);
  EXPECT_THROW(pdq_hash(pixels, 5, 10, 2), base::Error);
}

TEST(Pdq, DistanceCountsBits) {
  PdqHash a;
  PdqHash b;
  b.words[0] = 0x8001;
  b.words[15] = 0xFFFF;
  EXPECT_EQ(hamming_distance(a, b), 18);
  EXPECT_EQ(hamming_distance(b, b), 0);
}

}  // namespace
}  // namespace quasar::image
