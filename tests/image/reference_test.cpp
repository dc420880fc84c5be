// Pictures from the test suites of decoders against what Pillow makes of them: tests/golden/pictures/odd.tsv,
// whose first lines say what its columns are. tests/tools/compare_pictures.py --table makes it.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "image/decode.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace quasar::image {
namespace {

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

/// Means of 4x4 cells, R, G and B of each.
std::vector<int> grid(const RgbImage& image) {
  std::vector<int> means;
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) {
      for (int c = 0; c < 3; ++c) {
        double sum = 0;
        int count = 0;
        for (int y = image.height * row / 4; y < image.height * (row + 1) / 4; ++y) {
          for (int x = image.width * column / 4; x < image.width * (column + 1) / 4; ++x, ++count)
            sum += image.pixels[static_cast<std::size_t>((y * image.width + x) * 3 + c)];
        }
        means.push_back(static_cast<int>(sum / count + 0.5));
      }
    }
  }
  return means;
}

TEST(Reference, EveryOddPictureIsAsTheTableSays) {
  const auto folder = test::shared_data() / "data" / "odd";
  QUASAR_REQUIRE_DATA(folder);
  std::ifstream table(test::test_file("golden/pictures/odd.tsv"));
  ASSERT_TRUE(table);
  std::map<std::string, int> compared;
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with("#")) continue;
    const auto fields = split(line, '\t');
    ASSERT_GE(fields.size(), 2U) << line;
    const std::string how = fields.size() > 2 ? fields[2] : "";
    const auto bytes = base::read_file(folder / fields[0]);
    const auto result = decode(std::as_bytes(std::span(bytes)),
                               {.max_pixels = 50'000'000, .honour_orientation = how == "turned"});
    EXPECT_EQ(base::status_name(result.status), fields[1]) << fields[0] << ": " << result.error;
    EXPECT_EQ(result.error.find("does not say why"), std::string::npos) << fields[0];
    EXPECT_EQ(result.status == base::RowStatus::kOk, result.error.empty()) << fields[0];
    if (how.empty() || result.status != base::RowStatus::kOk) continue;
    ++compared[how];
    ASSERT_GE(fields.size(), 6U) << line;
    EXPECT_EQ(std::to_string(result.image.width), fields[3]) << fields[0];
    EXPECT_EQ(std::to_string(result.image.height), fields[4]) << fields[0];
    const auto sum = base::sha256_hex(std::as_bytes(std::span(result.image.pixels))).substr(0, 16);
    if (how != "within") {
      EXPECT_EQ(sum, fields[5]) << fields[0];
      continue;
    }
    ASSERT_EQ(fields.size(), 8U) << line;
    const auto expected = split(fields[7], ' ');
    const auto means = grid(result.image);
    ASSERT_EQ(expected.size(), means.size());
    for (std::size_t i = 0; i < means.size(); ++i)
      EXPECT_LE(std::abs(means[i] - std::stoi(expected[i])), std::stoi(fields[6]))
          << fields[0] << ", cell " << i / 3;
  }
  EXPECT_GT(compared["same"], 780);
  EXPECT_GT(compared["upper"], 20);
  EXPECT_EQ(compared["turned"], 7);
  EXPECT_GT(compared["within"], 10);
}

}  // namespace
}  // namespace quasar::image
