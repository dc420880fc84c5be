#include "curation/manifest_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::curation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ManifestLinesTest : public testing::Test {
 protected:
  ManifestLines lines_of(const std::string& text) {
    base::write_file_atomically(scratch_ / "manifest.jsonl", text);
    return ManifestLines(scratch_ / "manifest.jsonl");
  }
  static std::vector<std::string> read(ManifestLines::Cursor cursor) {
    std::vector<std::string> found;
    while (cursor.next()) {
      found.push_back(std::to_string(cursor.number()) + "@" + std::to_string(cursor.offset()) + " " +
                      std::string(cursor.line()));
    }
    EXPECT_FALSE(cursor.next());
    return found;
  }
  static std::string refusal(ManifestLines::Cursor cursor, base::ExitCode code) {
    try {
      while (cursor.next()) {
      }
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "no error";
  }

  const test::ScratchFolder scratch_;
};

TEST_F(ManifestLinesTest, AreReadFromFrontToBackAndByPlace) {
  const auto lines = lines_of("first\n\nthird\n");
  EXPECT_THAT(read(ManifestLines::Cursor(lines)), ElementsAre("1@0 first", "2@6 ", "3@7 third"));
  EXPECT_EQ(lines.text(7, 5), "third");
  EXPECT_THROW(lines.text(7, 7), base::Error);
  EXPECT_THAT(read(ManifestLines::Cursor(lines_of(""))), ElementsAre());
}

TEST_F(ManifestLinesTest, PartsHaveEachLineOnceWhereverTheyAreCut) {
  // The middle line is longer than what is read at once.
  const std::string text = "a\n\n" + std::string(5'000'000, 'b') + "\ncc\nd\n";
  const auto lines = lines_of(text);
  std::vector<std::string> all;
  for (ManifestLines::Cursor cursor(lines); cursor.next();) all.emplace_back(cursor.line());
  ASSERT_EQ(all.size(), 5U);
  for (const std::uint64_t cut : {0U, 1U, 2U, 3U, 4U, 4'500'000U, 5'000'002U, 5'000'003U, 5'000'004U,
                                  5'000'006U, 5'000'007U, 5'000'008U, 5'000'009U}) {
    std::vector<std::string> found;
    for (ManifestLines::Cursor cursor(lines, 0, cut); cursor.next();) found.emplace_back(cursor.line());
    for (ManifestLines::Cursor cursor(lines, cut, lines.size()); cursor.next();)
      found.emplace_back(cursor.line());
    EXPECT_EQ(found, all) << cut;
  }
}

TEST_F(ManifestLinesTest, ALastLineWithoutAnEndIsRefusedByThePartThatItBeginsIn) {
  const auto lines = lines_of("whole\ncut off");
  EXPECT_THAT(refusal(ManifestLines::Cursor(lines), base::ExitCode::kMismatch),
              HasSubstr("byte 6: the last line has no end"));
  EXPECT_THAT(refusal(ManifestLines::Cursor(lines, 3, 13), base::ExitCode::kMismatch), HasSubstr("byte 6"));
  EXPECT_THAT(read(ManifestLines::Cursor(lines, 0, 3)), ElementsAre("1@0 whole"));
  EXPECT_THAT(read(ManifestLines::Cursor(lines, 8, 13)), ElementsAre());
}

TEST_F(ManifestLinesTest, AMissingFileIsNamed) {
  try {
    ManifestLines(scratch_ / "none.jsonl");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("none.jsonl cannot be read (No such file"));
    EXPECT_THAT(error.what(), HasSubstr("curation.manifest"));
  }
}

}  // namespace
}  // namespace quasar::curation
