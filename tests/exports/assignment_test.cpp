#include "exports/assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/errors.h"

namespace quasar::exports {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

KeptRow row(std::uint64_t number, std::uint64_t bytes, std::string_view format = "jpeg") {
  KeptRow made;
  made.offset = number;
  made.bytes = bytes;
  std::copy(format.begin(), format.end(), made.format.begin());
  return made;
}

std::vector<std::uint64_t> numbers(const std::vector<KeptRow>& rows) {
  std::vector<std::uint64_t> found;
  for (const auto& one : rows) found.push_back(one.offset);
  return found;
}

std::vector<std::uint64_t> counts(const std::vector<RowSpan>& shards) {
  std::vector<std::uint64_t> found;
  std::uint64_t next = 0;
  for (const auto& shard : shards) {
    EXPECT_EQ(shard.first, next);
    next += shard.count;
    found.push_back(shard.count);
  }
  return found;
}

TEST(AssignmentTest, ShardsHoldSoManyRowsOrBytes) {
  ExportConfig config;
  config.rows = 3;
  std::vector<KeptRow> rows;
  for (std::uint64_t i = 0; i < 8; ++i) rows.push_back(row(i, 10));
  EXPECT_THAT(counts(assign(config, rows)), ElementsAre(3, 3, 2));
  EXPECT_THAT(numbers(rows), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  config.bytes = 20;
  EXPECT_THAT(counts(assign(config, rows)), ElementsAre(2, 2, 2, 2));
  rows[3].bytes = 1000;
  EXPECT_THAT(counts(assign(config, rows)), ElementsAre(2, 1, 1, 2, 2)) << "one too large is alone";
  std::vector<KeptRow> none;
  EXPECT_TRUE(assign(config, none).empty());
}

TEST(AssignmentTest, AShuffleIsThatOfItsSeed) {
  ExportConfig config;
  config.order = Order::kShuffle;
  std::vector<KeptRow> rows;
  for (std::uint64_t i = 0; i < 100; ++i) rows.push_back(row(i, 1));
  auto first = rows;
  auto again = rows;
  auto other = rows;
  assign(config, first);
  assign(config, again);
  config.seed = 2;
  assign(config, other);
  EXPECT_EQ(numbers(first), numbers(again));
  EXPECT_NE(numbers(first), numbers(rows));
  EXPECT_NE(numbers(first), numbers(other));
  EXPECT_THAT(numbers(other), testing::UnorderedElementsAreArray(numbers(rows)));
}

TEST(AssignmentTest, FormatsApartFollowEachOtherInOrderOfScore) {
  ExportConfig config;
  config.grouping = Grouping::kHomogeneous;
  config.rows = 2;
  std::vector<KeptRow> rows = {row(0, 1, "webp"), row(1, 1, "jpeg"), row(2, 1, "png"),
                               row(3, 1, "jpeg"), row(4, 1, "png"),  row(5, 1, "jpeg")};
  EXPECT_THAT(counts(assign(config, rows)), ElementsAre(2, 1, 2, 1));
  EXPECT_THAT(numbers(rows), ElementsAre(1, 3, 5, 2, 4, 0));
  rows.push_back(row(6, 1, ""));
  try {
    assign(config, rows);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("quasar rank"));
  }
}

TEST(AssignmentTest, PlacesInThePlanAreAskedForWhereVectorsLie) {
  ExportConfig config;
  config.order = Order::kPlan;
  std::vector<KeptRow> rows = {row(0, 1), row(1, 1), row(2, 1)};
  rows[0].row = 7;
  rows[1].row = 3;
  try {
    assign(config, rows);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("\"row\""));
  }
  rows[2].row = 5;
  EXPECT_THAT(counts(assign(config, rows)), ElementsAre(3));
  EXPECT_THAT(numbers(rows), ElementsAre(1, 2, 0));
}

}  // namespace
}  // namespace quasar::exports
