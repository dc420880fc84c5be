#include "corpus/sources/csv_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  try {
    CsvReader reader(text, "t.csv");
    while (reader.next()) {
    }
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(CsvReader, ReadsQuotesLineEndsAndByteOrderMark) {
  CsvReader reader("\xEF\xBB\xBFpath,mos\r\n\"a,\"\"b\"\".jpg\",1\r\n\n\"two\nlines\",2", "t.csv");
  EXPECT_THAT(reader.columns(), ElementsAre("path", "mos"));
  const auto first = reader.next();
  EXPECT_THAT(first->fields, ElementsAre("a,\"b\".jpg", "1"));
  EXPECT_EQ(first->line, 2U);
  const auto second = reader.next();
  EXPECT_THAT(second->fields, ElementsAre("two\nlines", "2"));
  EXPECT_EQ(second->line, 4U);
  EXPECT_FALSE(reader.next().has_value());
}

TEST(CsvReader, ALoneCarriageReturnEndsALineToo) {
  CsvReader reader("a,b\r1,2\r\r3,4\r", "t.csv");
  EXPECT_EQ(reader.next()->line, 2U);
  const auto second = reader.next();
  EXPECT_EQ(second->line, 4U);
  EXPECT_THAT(second->fields, ElementsAre("3", "4"));
  EXPECT_FALSE(reader.next().has_value());
}

TEST(CsvReader, KeepsEmptyFields) {
  CsvReader reader("a\tb\tc\n\t\"\"\t\n", "t.tsv", '\t');
  EXPECT_THAT(reader.next()->fields, ElementsAre("", "", ""));
}

TEST(CsvReader, WithTabsAQuoteInsideAFieldIsData) {
  CsvReader reader("path\tcaption\na.jpg\tit's 5\" wide\n\"b\t\"\"c\"\"\"\tplain\nd\t\"\n\"\n", "t.tsv",
                   '\t');
  EXPECT_THAT(reader.next()->fields, ElementsAre("a.jpg", "it's 5\" wide"));
  EXPECT_THAT(reader.next()->fields, ElementsAre("b\t\"c\"", "plain"));
  EXPECT_THAT(reader.next()->fields, ElementsAre("d", "\n"));
  EXPECT_FALSE(reader.next().has_value());
}

TEST(CsvReader, WithTabsAQuoteThatNoneEndsIsData) {
  // Captions as they are spoken, in files that nobody quoted: no row is taken for a part of another.
  CsvReader reader(
      "path\tcaption\na\t\"Hello\" he said\nb\t\"half quoted\nc\t12\"\nd\t\"\ne\t\"one\ntwo\"\nf\t\"open",
      "t.tsv", '\t');
  EXPECT_THAT(reader.next()->fields, ElementsAre("a", "\"Hello\" he said"));
  EXPECT_THAT(reader.next()->fields, ElementsAre("b", "\"half quoted"));
  EXPECT_THAT(reader.next()->fields, ElementsAre("c", "12\""));
  EXPECT_THAT(reader.next()->fields, ElementsAre("d", "\""));
  EXPECT_THAT(reader.next()->fields, ElementsAre("e", "one\ntwo"));
  EXPECT_THAT(reader.next()->fields, ElementsAre("f", "\"open"));
  EXPECT_FALSE(reader.next().has_value());
}

TEST(CsvReader, ColumnsThatNobodyAsksForMayLackANameOrShareOne) {
  // pandas writes its index under no name.
  CsvReader reader(",path,x,x,\n0,a.jpg,1,2,\n", "t.csv");
  EXPECT_EQ(reader.column("path"), 1U);
  EXPECT_THAT(reader.next()->fields, ElementsAre("0", "a.jpg", "1", "2", ""));
  try {
    reader.column("x");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("t.csv:1: the column \"x\" stands twice"));
  }
}

TEST(CsvReader, ErrorsNameTheLine) {
  EXPECT_THAT(error_of("a,b\n1,2\n3\n"), HasSubstr("t.csv:3: 1 fields"));
  EXPECT_THAT(error_of("a,b\n1,\"2\n3\n"), HasSubstr("t.csv:2: a quoted field that is never closed"));
  EXPECT_THAT(error_of("a,b\n1,\"2\"3\n"), HasSubstr("t.csv:2: text after"));
  EXPECT_THAT(error_of("a,b\n1,2\"3\n"), HasSubstr("t.csv:2: a quote inside"));
  EXPECT_THAT(error_of(std::string_view("a,b\n1,\0\n", 8)), HasSubstr("NUL"));
  EXPECT_THAT(error_of(""), HasSubstr("empty"));
}

TEST(CsvReader, ColumnsWithoutNamesAndBlankLinesAreNoFault) {
  // An index as pandas writes it, and what a spreadsheet leaves to the right of a table.
  CsvReader reader(",path,mos,,\n0,a.jpg,1,,\n \t\n1,b.jpg,2,,\n", "t.csv");
  EXPECT_EQ(reader.column("mos"), 2U);
  EXPECT_THAT(reader.next()->fields, ElementsAre("0", "a.jpg", "1", "", ""));
  const auto second = reader.next();
  EXPECT_EQ(second->line, 4U);
  EXPECT_THAT(second->fields, ElementsAre("1", "b.jpg", "2", "", ""));
  EXPECT_FALSE(reader.next().has_value());
  try {
    reader.column("");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the name of a column is empty"));
  }
  CsvReader one("path\n \na.jpg\n", "t.csv");
  EXPECT_THAT(one.next()->fields, ElementsAre(" "));
}

TEST(CsvReader, AMissingColumnNamesTheNearest) {
  const CsvReader reader("path,score\n", "t.csv");
  EXPECT_EQ(reader.column("score"), 1U);
  try {
    reader.column("scores");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean \"score\""));
  }
}

TEST(CsvReader, RandomBytesEndInRecordsOrAnError) {
  base::Random random(11);
  constexpr std::string_view kAlphabet = "a,\"\n\r\t;\xFF 1";
  for (int round = 0; round < 5000; ++round) {
    std::string text = "x,y\n";
    for (std::uint64_t i = random.below(40); i > 0; --i)
      text.push_back(kAlphabet[random.below(kAlphabet.size())]);
    error_of(text);
  }
}

TEST(CsvReader, ReadsTheBenchmarkLabelFiles) {
  const auto folder = test::shared_data() / "data" / "labels" / "iqa-dataset";
  QUASAR_REQUIRE_DATA(folder);
  int files = 0;
  std::size_t records = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".txt") continue;
    const auto text = base::read_file(entry.path());
    CsvReader reader(text, entry.path().filename().string());
    reader.column("dis_img_path");
    while (reader.next()) ++records;
    ++files;
  }
  EXPECT_GE(files, 20) << "label files";
  EXPECT_GT(records, 50000U);
}

}  // namespace
}  // namespace quasar::corpus
