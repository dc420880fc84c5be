#include "curation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "curation/sample_result.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Report, SaysWhereNoRowHasAScore) {
  CurationResult result;
  ColumnStatistics none;
  none.min = none.mean = none.max = std::numeric_limits<double>::quiet_NaN();
  none.quantiles.fill(std::numeric_limits<double>::quiet_NaN());
  result.columns = {{"quality", none}};
  EXPECT_THAT(report_html(result, {}, {}, {}, {}), HasSubstr("No row has a score"));
}

TEST(Report, TellsWhatTheCorpusHoldsAndThePlanDoesNot) {
  auto result = sample_result();
  EXPECT_THAT(report_html(result, {}, {}, {}, {}), Not(HasSubstr("of the corpus")));
  result.left_out = {{"hidden files", 7}};
  EXPECT_THAT(report_html(result, {}, {}, {}, {}),
              HasSubstr("<td class=\"long\">hidden files</td><td class=\"n\">7</td>"));
}

TEST(Report, EscapesEverythingFromTheCorpusAndTheConfiguration) {
  const std::string hostile = "<script>alert(1)</script>\"'&\x01";
  auto result = sample_result();
  result.columns[0].first = hostile;
  result.by_reason[hostile] = 1;
  CurationConfig config;
  config.rank_by = hostile;
  const std::vector<ReportRow> rows = {{1, 0.5F, 100.0, true, hostile, hostile}};
  const auto page = report_html(result, config, {{hostile, hostile}}, rows, rows);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\xEF\xBF\xBD"));
  EXPECT_EQ(page.find('\x01'), std::string::npos);
}

TEST(Report, NeedsNothingFromElsewhere) {
  auto page = report_html(sample_result(), {}, {{"quasar", "1"}}, {}, {});
  // A name, which nothing looks up.
  const std::string svg = R"(xmlns="http://www.w3.org/2000/svg")";
  for (auto at = page.find(svg); at != std::string::npos; at = page.find(svg)) page.erase(at, svg.size());
  for (const auto* word : {"src=", "href=", "http:", "https:", "url(", "<script", "@import"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
}

TEST(Report, DrawsEveryBinThatIsNotEmpty) {
  const auto page = report_html(sample_result(), {}, {}, {}, {});
  EXPECT_THAT(page, HasSubstr("height=\"120.0\"><title>999</title>"));
  EXPECT_THAT(page, HasSubstr("height=\"1.0\"><title>1</title>"));
  EXPECT_THAT(page, HasSubstr("1,003 rows: 1,000 scored, 3 failed; 300 kept. Ranked by quality."));
}

}  // namespace
}  // namespace quasar::curation
