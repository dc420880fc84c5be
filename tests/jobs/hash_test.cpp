// The perceptual hash of files on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<std::string> words_of(const std::string& text, char separator) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word, separator);) words.push_back(word);
  return words;
}

TEST(HashTest, PrintsTheAuthorsHashAndQualityOfEqualPixels) {
  const auto folder = shared_data() / "golden" / "curation" / "pdq";
  QUASAR_REQUIRE_DATA(folder);
  std::ifstream table(folder / "pixels.csv");
  std::string line;
  std::getline(table, line);
  std::vector<std::string> command = {"hash"};
  std::string expected;
  while (std::getline(table, line)) {
    const auto row = words_of(line, ',');
    command.push_back((folder / row[0]).string());
    expected += row[4] + " " + row[3] + " " + command.back() + "\n";
  }
  const auto outcome = run_quasar(command);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, expected);
}

TEST(HashTest, PicturesInOrderEightPosesOnRequestAndFailuresByName) {
  const ScratchFolder scratch;
  const auto rendered =
      render_scenes(scratch / "pictures", {"--count", "3", "--width", "96", "--height", "80"});
  ASSERT_EQ(rendered.status, 0) << rendered.output;
  std::vector<std::string> command = {"hash", "--poses"};
  for (const auto& entry : fs::directory_iterator(scratch / "pictures"))
    command.push_back(entry.path().string());
  write_text(scratch / "broken.jpg", "no picture");
  command.push_back((scratch / "broken.jpg").string());
  command.push_back((scratch / "absent.jpg").string());
  const auto outcome = run_quasar(command);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("broken.jpg: unknown_format"));
  EXPECT_THAT(outcome.output, HasSubstr("absent.jpg: missing"));
  std::size_t hashes = 0;
  for (const auto& line : words_of(outcome.output, '\n')) {
    if (line.starts_with("quasar:")) continue;
    const auto words = words_of(line, ' ');
    ASSERT_EQ(words.size(), 3U) << line;
    EXPECT_EQ(words[0].size(), 64U);
    EXPECT_EQ(words[2], command[2 + hashes / 8]);
    ++hashes;
  }
  EXPECT_EQ(hashes, 24U);
  // A line stays one, whatever a file is called.
  fs::copy_file(command[2], scratch / "two\nlines.png");
  const auto broken_name = run_quasar({"hash", (scratch / "two\nlines.png").string()});
  EXPECT_THAT(broken_name.output, HasSubstr("two%0Alines.png\n"));
  EXPECT_EQ(run_quasar({"hash", (scratch / "broken.jpg").string()}).status, 8);
  EXPECT_EQ(run_quasar({"hash"}).status, 2);
}

}  // namespace
