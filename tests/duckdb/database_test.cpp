#include "duckdb/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/duckdb_library.h"
#include "support/test_data.h"

namespace quasar::duckdb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Another library in the place of DuckDB's for the time of a test.
class NamedLibrary {
 public:
  explicit NamedLibrary(const char* name) {
    if (const char* before = std::getenv(kLibraryVariable)) before_ = before;
    ::setenv(kLibraryVariable, name, 1);
  }
  ~NamedLibrary() {
    if (before_) {
      ::setenv(kLibraryVariable, before_->c_str(), 1);
    } else {
      ::unsetenv(kLibraryVariable);
    }
  }
  NamedLibrary(const NamedLibrary&) = delete;
  NamedLibrary& operator=(const NamedLibrary&) = delete;

 private:
  std::optional<std::string> before_;
};

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(DuckDb, SaysHowToGetItWhereItIsMissing) {
  const NamedLibrary named("/nowhere/libduckdb.so");
  EXPECT_THAT(error_of([] { const Database database; }),
              AllOf(HasSubstr("/nowhere/libduckdb.so"), HasSubstr("https://duckdb.org"),
                    HasSubstr("npm pack @duckdb/node-bindings-linux-x64"), HasSubstr("QUASAR_DUCKDB=")));
}

TEST(DuckDb, AnotherLibraryIsNone) {
  const NamedLibrary named("libm.so.6");
  EXPECT_THAT(error_of(load_library), HasSubstr("libm.so.6 is no DuckDB"));
}

TEST(DuckDb, QuotesTextsAndNames) {
  EXPECT_EQ(quoted("it's"), "'it''s'");
  EXPECT_EQ(quoted_name("a \"b\""), "\"a \"\"b\"\"\"");
}

TEST(DuckDb, StreamsRowsInTheirOrder) {
  QUASAR_REQUIRE_DUCKDB();
  const Database database;
  auto rows = database.query(
      "SELECT range::VARCHAR AS n, repeat('x', (range % 40)::INT) AS \"te xt\" FROM range(300000)");
  EXPECT_THAT(rows.columns(), ElementsAre("n", "te xt"));
  std::size_t count = 0;
  for (; rows.next(); ++count) {
    ASSERT_EQ(rows.text(0), std::to_string(count));
    ASSERT_EQ(rows.text(1), std::string(count % 40, 'x'));
  }
  EXPECT_EQ(count, 300'000U);
}

TEST(DuckDb, TellsNullFromEmptyText) {
  QUASAR_REQUIRE_DUCKDB();
  const Database database;
  auto rows = database.query("SELECT * FROM (VALUES ('', NULL), (NULL, 'b'))");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(0), "");
  EXPECT_EQ(rows.text(1), std::nullopt);
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(0), std::nullopt);
  EXPECT_EQ(rows.text(1), "b");
  EXPECT_FALSE(rows.next());
}

TEST(DuckDb, ErrorsAreItsOwnWords) {
  QUASAR_REQUIRE_DUCKDB();
  const Database database;
  EXPECT_THAT(error_of([&] { database.query("SELEC 1"); }), HasSubstr("syntax error"));
  EXPECT_THAT(error_of([&] { database.query("SELECT * FROM read_parquet('/nowhere.parquet')"); }),
              HasSubstr("/nowhere.parquet"));
  // One that shows only after some rows.
  EXPECT_THAT(
      error_of([&] {
        auto rows = database.query(
            "SELECT (CASE WHEN range < 200000 THEN '1' ELSE 'x' END)::INT::VARCHAR FROM range(200001)");
        while (rows.next()) {
        }
      }),
      HasSubstr("Could not convert string 'x'"));
}

TEST(DuckDb, LoadsNoExtension) {
  QUASAR_REQUIRE_DUCKDB();
  const Database database;
  EXPECT_NE(error_of([&] { database.query("SELECT * FROM read_parquet('https://localhost:1/x.parquet')"); }),
            "no error");
}

}  // namespace
}  // namespace quasar::duckdb
