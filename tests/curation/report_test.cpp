#include "curation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace quasar::curation {
namespace {

using testing::HasSubstr;
using testing::Not;

CurationResult sample_result() {
  CurationResult result;
  result.rows = 1003;
  result.scored = 1000;
  result.failed = 3;
  result.kept = 300;
  result.by_status = {{base::RowStatus::kOk, 1000}, {base::RowStatus::kMissing, 3}};
  result.by_reason = {{"top_fraction", 300}, {"beyond_top_fraction", 700}, {"status: missing", 3}};
  ColumnStatistics statistics;
  statistics.count = 1000;
  statistics.min = static_cast<double>(0.1F);
  statistics.max = static_cast<double>(0.9F);
  statistics.mean = 0.5;
  statistics.quantiles.fill(0.5);
  statistics.histogram[3] = 999;
  statistics.histogram[7] = 1;
  result.columns = {{"quality", statistics}};
  return result;
}

TEST(Summary, AddsUpAndWritesFloatsAsTheyRead) {
  CurationConfig config;
  config.top_fraction = 0.3;
  config.weights = {{"quality", 1.0}};
  const auto text = summary_json(sample_result(), config, {{"quasar", "1.2"}}, {});
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("rows"), 1003);
  EXPECT_EQ(json.at("by_status").at("ok").get<int>() + json.at("by_status").at("missing").get<int>(), 1003);
  EXPECT_EQ(json.at("config").at("keep").at("top_fraction"), 0.3);
  EXPECT_EQ(json.at("columns").at("quality").at("deciles").size(), kQuantiles);
  EXPECT_EQ(json.at("software").at("quasar"), "1.2");
  EXPECT_THAT(text, HasSubstr("\"min\": 0.1,"));
}

TEST(Summary, WritesNullWhereThereIsNoNumber) {
  CurationResult result;
  ColumnStatistics none;
  none.min = none.mean = none.max = std::numeric_limits<double>::quiet_NaN();
  none.quantiles.fill(std::numeric_limits<double>::quiet_NaN());
  result.columns = {{"quality", none}};
  const auto json = nlohmann::json::parse(summary_json(result, {}, {}, {}));
  EXPECT_TRUE(json.at("columns").at("quality").at("mean").is_null());
  EXPECT_THAT(report_html(result, {}, {}, {}, {}), HasSubstr("No row has a score"));
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
  const auto page = report_html(sample_result(), {}, {{"quasar", "1"}}, {}, {});
  for (const auto* word : {"src=", "href=", "http:", "https:", "url(", "<script", "@import"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
}

TEST(Report, DrawsEveryBinThatIsNotEmpty) {
  const auto page = report_html(sample_result(), {}, {}, {}, {});
  EXPECT_THAT(page, HasSubstr("height=\"120\"><title>999</title>"));
  EXPECT_THAT(page, HasSubstr("height=\"1\"><title>1</title>"));
  EXPECT_THAT(page, HasSubstr("1,003 rows: 1,000 scored, 3 failed; 300 kept. Ranked by quality."));
}

}  // namespace
}  // namespace quasar::curation
