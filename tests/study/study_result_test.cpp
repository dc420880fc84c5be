#include "study/study_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "study/projection.h"
#include "support/test_data.h"

namespace quasar::study {
namespace {

using testing::HasSubstr;

StudyConfig two_by_two() {
  StudyConfig config;
  config.axes = {{"encoder", {"a_1", "b|2"}}, {"benchmark", {"x", "y"}}};
  config.rows = "encoder";
  config.columns = "benchmark";
  for (std::size_t e = 0; e < 2; ++e) {
    for (std::size_t b = 0; b < 2; ++b) config.cells.emplace_back().levels = {e, b};
  }
  return config;
}

CellResult with_srcc(double srcc) {
  CellResult result;
  result.n = 10;
  result.srcc = srcc;
  result.srcc_low = srcc - 0.1;
  result.srcc_high = srcc + 0.1;
  return result;
}

TEST(StudyResult, AMeanOverDrawsHasItsStandardError) {
  const auto cell = summarised(0, {with_srcc(0.5), with_srcc(0.7), with_srcc(std::nan(""))}, 0);
  EXPECT_DOUBLE_EQ(cell.srcc, 0.6);
  EXPECT_NEAR(cell.error, std::sqrt(0.02 / 2), 1e-12);
  EXPECT_NEAR(cell.low, 0.5, 1e-12);
  const auto single = summarised(0, {with_srcc(0.5)}, 0);
  EXPECT_TRUE(std::isnan(single.error));
  EXPECT_DOUBLE_EQ(single.high, 0.6);
  EXPECT_TRUE(std::isnan(summarised(0, {with_srcc(std::nan(""))}, 0).srcc));
}

TEST(StudyResult, TablesHoldEveryCellAndMarkTheBest) {
  const auto config = two_by_two();
  std::vector<CellSummary> cells;
  cells.push_back(summarised(0, {with_srcc(0.5)}, 0));
  cells.push_back(summarised(1, {with_srcc(-0.25)}, 0));
  cells.push_back(summarised(2, {with_srcc(0.75)}, 0));
  cells.push_back(summarised(3, {with_srcc(std::nan(""))}, 0));
  const auto table = study_table(config, cells);
  EXPECT_EQ(
      table_markdown(table),
      "| encoder | x | y |\n|---|---:|---:|\n| a_1 | 0.500 | **-0.250** |\n| b\\|2 | **0.750** | - |\n");
  EXPECT_THAT(table_latex(table), HasSubstr("a\\_1 & $0.500$ & \\boldmath{$-0.250$} \\\\"));
}

TEST(StudyResult, CsvHasALineForEachCellAndDraw) {
  const auto config = two_by_two();
  const auto text = study_csv(config, {summarised(1, {with_srcc(0.5), with_srcc(std::nan(""))}, 12.5)});
  EXPECT_THAT(text, HasSubstr("encoder,benchmark,draw,n,srcc"));
  EXPECT_THAT(text, HasSubstr("\na_1,y,0,10,0.5,0.4,0.6,"));
  EXPECT_THAT(text, HasSubstr("\na_1,y,1,10,,,,"));
}

TEST(Projection, SidesThatLieApartAreFoundApart) {
  // Good ones near the first axis, bad ones near the second; lengths differ and do not count.
  const std::vector<float> good = {1, 0.1F, 0, 2, 0, 0.2F, 3, 0.3F, 0};
  const std::vector<float> bad = {0.1F, 1, 0, 0, 5, 0.5F, 0, 1, 0.1F};
  const std::vector<float> g = {1, 0, 0};
  const std::vector<float> b = {0, 4, 0};
  const auto apart = separation({good, bad, g, b, 3});
  EXPECT_DOUBLE_EQ(apart.auc, 1);
  EXPECT_GT(apart.d_prime, 10);
  const auto plane = principal_plane({good, bad, g, b, 3});
  EXPECT_GT(plane.explained[0], 0.95);
  EXPECT_GE(plane.explained[0], plane.explained[1]);
  for (const double x : plane.good_x) EXPECT_GT(x, 0);
  for (const double x : plane.bad_x) EXPECT_LT(x, 0);
  EXPECT_GT(plane.good_centroid[0], plane.bad_centroid[0]);
}

TEST(Projection, EqualSidesAreNotTellable) {
  const std::vector<float> rows = {1, 0, 0, 1};
  const std::vector<float> g = {1, 0};
  const std::vector<float> b = {0, 1};
  EXPECT_DOUBLE_EQ(separation({rows, rows, g, b, 2}).auc, 0.5);
}

TEST(CellResult, ComesBackFromItsFile) {
  const test::ScratchFolder scratch;
  auto written = with_srcc(0.25);
  written.plcc = std::nan("");
  written.undefined = "why";
  write_cell(scratch / "cell.json", written);
  const auto read = read_cell(scratch / "cell.json");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->n, 10U);
  EXPECT_EQ(read->srcc, 0.25);
  EXPECT_TRUE(std::isnan(read->plcc));
  EXPECT_EQ(read->undefined, "why");
  EXPECT_FALSE(read_cell(scratch / "none.json"));
}

}  // namespace
}  // namespace quasar::study
