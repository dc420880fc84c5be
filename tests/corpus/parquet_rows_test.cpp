#include "corpus/sources/parquet_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "corpus/plan.h"
#include "duckdb/database.h"
#include "support/duckdb_library.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ParquetTest : public testing::Test {
 protected:
  /// Writes the rows of a query.
  void write(const std::string& name, const std::string& query, const std::string& options = "") const {
    const duckdb::Database database;
    auto rows = database.query("COPY (" + query + ") TO " + duckdb::quoted((scratch_ / name).string()) +
                               " (FORMAT parquet" + options + ")");
    while (rows.next()) {
    }
  }
  SourceConfig table(const std::string& name) const {
    SourceConfig config;
    config.kind = SourceKind::kTable;
    config.path = scratch_ / name;
    return config;
  }
  static Plan plan_of(const SourceConfig& config) {
    CorpusConfig corpus;
    corpus.sources = {config};
    return Plan::make(corpus);
  }
  static std::string error_of(const SourceConfig& config) {
    try {
      plan_of(config);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      return error.what();
    }
    return "no error";
  }

  test::ScratchFolder scratch_;
};

TEST_F(ParquetTest, SaysHowToReadOneWithoutTheLibrary) {
  base::write_file_atomically(scratch_ / "t.parquet", "PAR1");
  if (!test::why_no_duckdb().empty()) {
    EXPECT_THAT(error_of(table("t.parquet")), AllOf(HasSubstr("DuckDB"), HasSubstr("QUASAR_DUCKDB=")));
  } else {
    EXPECT_THAT(error_of(table("t.parquet")), AllOf(HasSubstr((scratch_ / "t.parquet").string() + ": "),
                                                    testing::Not(HasSubstr("/proc/self"))));
  }
}

TEST_F(ParquetTest, ReadsTheColumnsThatDataSetsHave) {
  QUASAR_REQUIRE_DUCKDB();
  // The names and types of LAION, DataComp and img2dataset.
  write(
      "t.parquet",
      "SELECT * FROM (VALUES "
      "('00000/0.jpg', 'http://a/?x=1,2', 'a \"dog\"\nrunning', 'f00d', '000000000', 'ab12', 0.3::DOUBLE, "
      "0.1::FLOAT, 'nan'::FLOAT, 9007199254740993::BIGINT, true, [1.5, 2], TIMESTAMP '2024-01-02 03:04:05'), "
      "('00000/1.jpg', NULL, 'caf\u00e9', 'beef', '000000001', NULL, NULL, 1e-7::FLOAT, '-inf'::FLOAT, NULL, "
      "NULL, "
      "NULL, NULL)) t(path, url, caption, uid, key, sha256, similarity, punsafe, pwatermark, original_width, "
      "ok, "
      "bbox, taken)");
  auto config = table("t.parquet");
  config.label_column = "similarity";
  config.id_column = "uid";
  config.fields = {"url",        "caption",        "key", "sha256", "similarity", "punsafe",
                   "pwatermark", "original_width", "ok",  "bbox",   "taken"};
  const auto items = plan_of(config).read_items();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].id, "f00d");
  EXPECT_EQ(items[0].source, (scratch_ / "00000/0.jpg").string());
  EXPECT_EQ(items[0].label, 0.3);
  EXPECT_THAT(
      items[0].fields,
      ElementsAre(Pair("url", "http://a/?x=1,2"), Pair("caption", "a \"dog\"\nrunning"),
                  Pair("key", "000000000"), Pair("sha256", "ab12"), Pair("similarity", "0.3"),
                  Pair("punsafe", "0.1"), Pair("pwatermark", ""), Pair("original_width", "9007199254740993"),
                  Pair("ok", "true"), Pair("bbox", "[1.5, 2.0]"), Pair("taken", "2024-01-02 03:04:05")));
  EXPECT_EQ(items[1].label, std::nullopt);
  EXPECT_EQ(items[1].fields[0].second, "");
  EXPECT_EQ(items[1].fields[1].second, "caf\xC3\xA9");
  EXPECT_EQ(items[1].fields[5].second, "1e-07");
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("values that are no numbers (NaN, Infinity)", 2)));
}

TEST_F(ParquetTest, ReadsEveryCompressionAndTextsThatAreNotMarkedAsTexts) {
  QUASAR_REQUIRE_DUCKDB();
  for (const std::string compression : {"uncompressed", "snappy", "gzip", "zstd", "lz4", "brotli"}) {
    write(compression + ".parquet",
          "SELECT ('d/' || range || '.jpg')::BLOB AS path, 'c' || (range % 7) AS caption FROM range(5000)",
          ", COMPRESSION " + compression + ", ROW_GROUP_SIZE 2048");
    auto config = table(compression + ".parquet");
    config.fields = {"caption"};
    const auto plan = plan_of(config);
    ASSERT_EQ(plan.item_count(), 5000U) << compression;
    const auto items = plan.read_items();
    for (std::size_t i = 0; i < items.size(); ++i) {
      ASSERT_EQ(items[i].id, "d/" + std::to_string(i) + ".jpg");
      ASSERT_EQ(items[i].fields[0].second, "c" + std::to_string(i % 7));
    }
  }
}

TEST_F(ParquetTest, JoinsRowsThatNameAnImageAgain) {
  QUASAR_REQUIRE_DUCKDB();
  write("t.parquet", "SELECT 'a.jpg' AS path, 'c' || range AS caption FROM range(5)");
  auto config = table("t.parquet");
  config.fields = {"caption"};
  const auto items = plan_of(config).read_items();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].fields[0].second, "c0\nc1\nc2\nc3\nc4");
}

TEST_F(ParquetTest, NamesAreNoPatternsAndErrorsNameTheFile) {
  QUASAR_REQUIRE_DUCKDB();
  write("t.parquet", "SELECT 'a.jpg' AS path, 1 AS similarity");
  const std::string odd = "o'dd [1]*?.parquet";
  std::filesystem::rename(scratch_ / "t.parquet", scratch_ / odd);
  auto config = table(odd);
  EXPECT_EQ(plan_of(config).item_count(), 1U);
  config.fields = {"similarty"};
  EXPECT_THAT(error_of(config),
              AllOf(HasSubstr(odd + ": there is no column \"similarty\"; there are: path, similarity"),
                    HasSubstr("did you mean \"similarity\"?")));
  config = table("empty.parquet");
  write("empty.parquet", "SELECT NULL::VARCHAR AS path");
  EXPECT_THAT(error_of(config), HasSubstr("empty.parquet:1: the path is empty"));
}

TEST_F(ParquetTest, DamageIsAnErrorThatNamesTheFile) {
  QUASAR_REQUIRE_DUCKDB();
  write("t.parquet", "SELECT 'd/' || range || '.jpg' AS path, range * 0.5 AS s FROM range(3000)",
        ", COMPRESSION snappy");
  const std::string good = base::read_file(scratch_ / "t.parquet");
  const auto read_damaged = [&](const std::string& bytes) {
    base::write_file_atomically(scratch_ / "bad.parquet", bytes);
    auto config = table("bad.parquet");
    config.fields = {"s"};
    return error_of(config);
  };
  EXPECT_EQ(read_damaged(good), "no error");
  for (const std::size_t length : {std::size_t{0}, std::size_t{3}, good.size() / 2, good.size() - 1})
    EXPECT_THAT(read_damaged(good.substr(0, length)), HasSubstr("bad.parquet: "));
  base::Random random(11);
  int refused = 0;
  for (int round = 0; round < 24; ++round) {
    std::string bytes = good;
    // Most of what is read first stands at the end.
    for (int i = 0; i < 4; ++i) {
      const std::size_t range = i % 2 == 0 ? std::min<std::size_t>(bytes.size(), 600) : bytes.size();
      bytes[bytes.size() - 1 - random.below(range)] = static_cast<char>(random.below(256));
    }
    const auto error = read_damaged(bytes);
    if (error == "no error") continue;
    ++refused;
    EXPECT_THAT(error, HasSubstr("bad.parquet"));
  }
  EXPECT_GT(refused, 4);
}

}  // namespace
}  // namespace quasar::corpus
