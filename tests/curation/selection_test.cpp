#include "curation/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "curation/text_sink.h"

namespace quasar::curation {
namespace {

/// A row of a manifest with the score `q`, as selection gets it.
struct TestRow {
  store::RowRecord record;
  base::RowStatus status = base::RowStatus::kOk;
  std::vector<float> scores;
};

/// What selection makes of a row: "+reason" for a kept row, "-reason" for a dropped one.
std::string decide(Selection& selection, const TestRow& test, const Place& place) {
  ManifestRow row;
  read_row(selection.columns(), {test.record, test.status, test.scores}, row);
  const bool keep = selection.decide(place, row);
  EXPECT_EQ(std::get<bool>(row[selection.columns().index_of("keep")]), keep);
  return (keep ? "+" : "-") +
         std::string(std::get<std::string_view>(row[selection.columns().index_of("reason")]));
}

std::string decide(const CurationConfig& config, float score, std::uint64_t eligible_before,
                   std::uint64_t scored = 10) {
  const ScoreRule rule({"q"}, config);
  Selection selection(config, rule, scored);
  TestRow row;
  row.scores = {score};
  return decide(selection, row, {eligible_before, true, eligible_before, eligible_before, row.scores});
}

TEST(Selection, KeepsEverythingScoredWithoutARule) {
  EXPECT_EQ(decide({}, 0.0F, 9), "+all");
}

TEST(Selection, ThresholdIncludesItselfAsTheManifestShowsIt) {
  CurationConfig config;
  config.threshold = 0.7;  // Above 0.7F in double.
  EXPECT_EQ(decide(config, 0.7F, 0), "+threshold");
  EXPECT_EQ(decide(config, 0.69999F, 0), "-below_threshold");
}

TEST(Selection, TopKCountsTheRowsThatMeetTheFloors) {
  CurationConfig config;
  config.top_k = 2;
  config.minimum = {{"q", 0.5}};
  EXPECT_EQ(decide(config, 0.9F, 1), "+top_k");
  EXPECT_EQ(decide(config, 0.9F, 2), "-beyond_top_k");
  EXPECT_EQ(decide(config, 0.4F, 0), "-below_minimum: q");
  EXPECT_EQ(decide(config, 0.4F, 5), "-below_minimum: q") << "the first reason stands";
}

TEST(Selection, TopFractionRoundsToTheNearestRow) {
  CurationConfig config;
  config.top_fraction = 0.29;
  EXPECT_EQ(decide(config, 0.5F, 28, 100), "+top_fraction");
  EXPECT_EQ(decide(config, 0.5F, 29, 100), "-beyond_top_fraction");
  config.top_fraction = 0.0;
  EXPECT_EQ(decide(config, 0.5F, 0, 100), "-beyond_top_fraction");
  config.top_fraction = 1.0;
  EXPECT_EQ(decide(config, 0.5F, 99, 100), "+top_fraction");
}

TEST(Selection, NeverKeepsAFailedRowAndGivesItNoRank) {
  CurationConfig config;
  config.threshold = 0.0;
  config.minimum = {{"q", 0.0}};
  const ScoreRule rule({"q"}, config);
  Selection selection(config, rule, 10);
  const Columns& columns = selection.columns();
  store::RowRecord record;
  ManifestRow row;
  read_row(columns, {record, base::RowStatus::kTooSmall, {}}, row);
  EXPECT_FALSE(selection.decide({12, false, 10, 10, {}}, row));
  EXPECT_EQ(std::get<std::string_view>(row[columns.index_of("reason")]), "status: too_small");
  for (const auto* name : {"rank", "percentile", "q"})
    EXPECT_EQ(row[columns.index_of(name)].index(), 0U) << name;
}

TEST(Selection, RanksFromOneAndGivesEqualScoresTheSamePercentile) {
  const ScoreRule rule({"q"}, {});
  Selection selection({}, rule, 4);
  const Columns& columns = selection.columns();
  TestRow test;
  test.scores = {0.5F};
  ManifestRow row;
  read_row(columns, {test.record, test.status, test.scores}, row);
  selection.decide({2, true, 1, 2, test.scores}, row);
  EXPECT_EQ(std::get<std::uint64_t>(row[columns.index_of("rank")]), 3U);
  EXPECT_EQ(std::get<double>(row[columns.index_of("percentile")]), 75.0);
}

/// Numbers rows from 100 on in a column of its own, and drops every other one.
class OddOnes : public SelectionPass {
 public:
  std::vector<Column> columns() const override {
    return {{"number", CellType::kCount}, {"remark, if any", CellType::kText}};
  }
  void begin(const Columns& columns) override { number_ = columns.index_of("number"); }
  std::string_view apply(const Place& place, ManifestRow& row) override {
    row[number_] = place.position + 100;
    if (place.position % 2 == 0) return {};
    row[number_ + 1] = std::string_view("odd");
    return "odd position";
  }

 private:
  std::size_t number_ = 0;
};

TEST(Selection, APassBringsItsColumnsToEveryManifest) {
  std::vector<std::unique_ptr<SelectionPass>> passes;
  passes.push_back(std::make_unique<OddOnes>());
  const std::vector<std::string> scores = {"q"};
  Selection selection(std::move(passes), "even position", scores);
  const Columns& columns = selection.columns();
  const ShownColumns shown(columns.size(), true);
  EXPECT_THAT(header_line(TextFormat::kCsv, columns, shown),
              testing::EndsWith(",fields,format,row,number,\"remark, if any\"\n"));
  TestRow test;
  test.scores = {0.5F};
  std::vector<std::string> csv(2);
  std::string json;
  for (std::uint64_t position = 0; position < 2; ++position) {
    ManifestRow row;
    read_row(columns, {test.record, test.status, test.scores}, row);
    EXPECT_EQ(selection.decide({position, true, 0, 0, test.scores}, row), position == 0);
    append_line(TextFormat::kCsv, columns, shown, row, csv[position]);
    if (position == 1) append_line(TextFormat::kJsonLines, columns, shown, row, json);
  }
  EXPECT_THAT(csv[0], testing::EndsWith(",ok,true,even position,,,,0,100,\n"));
  EXPECT_THAT(csv[1], testing::EndsWith(",ok,false,odd position,,,,0,101,odd\n"));
  EXPECT_THAT(json, testing::EndsWith(",\"number\":101,\"remark, if any\":\"odd\"}\n"));
}

}  // namespace
}  // namespace quasar::curation
