#include "curation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "curation/sample_result.h"
#include "curation/summary.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Column> added_columns() {
  return {
      {"duplicate_of", CellType::kText}, {"distance", CellType::kCount}, {"group_size", CellType::kCount}};
}

const Columns& columns() {
  static const Columns kColumns(std::vector<std::string>{"quality"}, added_columns());
  return kColumns;
}

/// A row of a manifest.
struct Row {
  std::uint64_t rank = 1;
  std::string_view id = "a";
  float score = 0.5F;
  bool keep = true;
  std::string_view reason = "top_k";
  std::string_view fields = "";
  std::string_view duplicate_of = "";
  std::uint64_t group = 0;
  std::string_view status = "ok";
};

ManifestRow cells(const Row& row) {
  ManifestRow cells(columns().size());
  const auto at = [&](const char* name) -> Cell& { return cells[columns().index_of(name)]; };
  at("id") = row.id;
  at("status") = row.status;
  at("keep") = row.keep;
  at("reason") = row.reason;
  at("bytes") = std::uint64_t{1000};
  at("width") = std::uint64_t{640};
  at("height") = std::uint64_t{480};
  at("format") = std::string_view("jpeg");
  if (row.rank != 0) {
    at("rank") = row.rank;
    at("quality") = row.score;
    at("percentile") = 100.0;
  }
  if (!row.fields.empty()) at("fields") = row.fields;
  at("duplicate_of") = row.duplicate_of;
  if (row.group != 0) at("group_size") = row.group;
  if (!row.duplicate_of.empty()) at("distance") = std::uint64_t{4};
  return cells;
}

ReportTally tally_of(const std::vector<Row>& rows) {
  ReportTally tally(columns(), "quality", 1000);
  for (const auto& row : rows) tally.add(cells(row));
  return tally;
}

std::string page_of(const CurationResult& result, const ReportTally& tally, const RowDetails& details = {},
                    const CurationConfig& config = {}) {
  return report_html(summary_json(result, config, {{"quasar", "1"}}, {}), tally, details);
}

TEST(Report, SaysWhereNoRowHasAScore) {
  CurationResult result;
  ColumnStatistics none;
  none.min = none.mean = none.max = std::numeric_limits<double>::quiet_NaN();
  none.quantiles.fill(std::numeric_limits<double>::quiet_NaN());
  result.columns = {{"quality", none}};
  EXPECT_THAT(page_of(result, tally_of({})), HasSubstr("no row has a score"));
}

TEST(Report, TellsWhatTheCorpusHoldsAndThePlanDoesNot) {
  auto result = sample_result();
  EXPECT_THAT(page_of(result, tally_of({})), Not(HasSubstr("of the corpus")));
  result.left_out = {{"hidden files", 7}};
  EXPECT_THAT(page_of(result, tally_of({})),
              HasSubstr("<td class=\"long\">hidden files</td><td class=\"n\">7</td>"));
}

TEST(Report, EscapesEverythingFromTheCorpusAndTheConfiguration) {
  const std::string hostile = "<script>alert(1)</script>\"'&\x01";
  auto result = sample_result();
  result.columns[0].first = hostile;
  result.by_reason[hostile] = 1;
  result.by_status = {{base::RowStatus::kMissing, 1}};
  CurationConfig config;
  config.rank_by = hostile;
  const std::string fields = R"({"<script>alert(2)</script>": 3})";
  const auto tally = tally_of({{.id = hostile, .reason = hostile, .fields = fields, .group = 2},
                               {.rank = 2,
                                .id = "<script>b",
                                .keep = false,
                                .reason = "against: <script>c",
                                .duplicate_of = hostile,
                                .group = 2},
                               {.rank = 0, .id = "<script>d", .keep = false, .status = "missing"}});
  RowDetails details;
  details[hostile].picture.media_type = "<script>";
  details[hostile].picture.bytes = "x";
  details["<script>b"].picture.missing = "<script>gone";
  details["<script>d"].error = "<script>message";
  const auto page = page_of(result, tally, details, config);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\xEF\xBF\xBD"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(2)"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;gone"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;message"));
  EXPECT_EQ(page.find('\x01'), std::string::npos);
}

TEST(Report, NeedsNothingFromElsewhere) {
  auto page = page_of(sample_result(), tally_of({{}}));
  // A name, which nothing looks up.
  const std::string svg = R"(xmlns="http://www.w3.org/2000/svg")";
  for (auto at = page.find(svg); at != std::string::npos; at = page.find(svg)) page.erase(at, svg.size());
  for (const auto* word : {"src=", "href=", "http:", "https:", "url(", "<script", "@import"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
}

TEST(Report, ShowsWhatEachStepDropsInTheOrderOfTheSteps) {
  auto result = sample_result();
  result.by_reason = {{"top_k", 300},
                      {"beyond_top_k", 500},
                      {"duplicate: exact", 150},
                      {"below_minimum: quality", 50},
                      {"status: missing", 3}};
  const auto page = page_of(result, tally_of({}));
  std::size_t last = 0;
  for (const auto* step : {">all rows<", ">status: missing</th><td class=\"n\">3</td><td class=\"n\">1,000<",
                           ">below_minimum: quality</th><td class=\"n\">50</td><td class=\"n\">950<",
                           ">duplicate: exact</th><td class=\"n\">150</td><td class=\"n\">800<",
                           ">beyond_top_k</th><td class=\"n\">500</td><td class=\"n\">300<"}) {
    const auto at = page.find(step);
    ASSERT_NE(at, std::string::npos) << step;
    EXPECT_GT(at, last);
    last = at;
  }
  EXPECT_THAT(page, HasSubstr("1,003 rows: 1,000 scored, 3 failed; 300 kept. Ranked by quality"));
}

TEST(Report, DrawsClustersBeforeAndAfterBalancing) {
  auto result = sample_result();
  EXPECT_THAT(page_of(result, tally_of({})), Not(HasSubstr("balancing")));
  result.balance = BalanceCounts{};
  result.balance->levels.resize(1);
  result.balance->levels[0].clusters = 20;
  result.balance->levels[0].before.greatest = 312;
  result.balance->levels[0].after.greatest = 6;
  const auto page = page_of(result, tally_of({}));
  EXPECT_THAT(page, HasSubstr("Clusters before and after balancing"));
  EXPECT_THAT(page, HasSubstr("largest, before: 312"));
  EXPECT_THAT(page, HasSubstr("largest, after: 6"));
}

TEST(ReportTally, OfPartsIsThatOfTheWhole) {
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i) {
    texts.push_back("id-" + std::to_string(i));
    texts.push_back(R"({"n": )" + std::to_string(i * 37 % 101) + R"(, "caption": "a", "f)" +
                    std::to_string(i % 40 + 10) + R"(": "1.5"})");
    texts.push_back("id-" + std::to_string(i % 20));
  }
  std::vector<Row> rows;
  for (std::size_t i = 0; i < 400; ++i) {
    const bool scored = i < 380;
    const bool copy = i >= 20 && i < 200;
    rows.push_back({.rank = scored ? i + 1 : 0,
                    .id = texts[3 * i],
                    .score = 1.0F / static_cast<float>(i + 1),
                    .keep = i < 20 || (i >= 200 && i < 300),
                    .reason = copy      ? "duplicate: exact"
                              : i < 300 ? "top_k"
                              : scored  ? "beyond_top_k"
                                        : "status: missing",
                    .fields = texts[3 * i + 1],
                    .duplicate_of = copy ? std::string_view(texts[3 * i + 2]) : std::string_view(),
                    .group = i < 200 ? 10 : std::uint64_t{0},
                    .status = scored ? "ok" : "missing"});
  }
  const auto whole = tally_of(rows);
  for (const std::size_t cut : {1U, 150U, 390U}) {
    auto first = tally_of({rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(cut)});
    first.merge(tally_of({rows.begin() + static_cast<std::ptrdiff_t>(cut), rows.end()}).packed());
    EXPECT_EQ(first.packed(), whole.packed()) << cut;
    EXPECT_EQ(page_of(sample_result(), first), page_of(sample_result(), whole)) << cut;
  }
  ASSERT_EQ(whole.groups().size(), kListedGroups);
  EXPECT_EQ(whole.groups()[0].rows, 10U);
  EXPECT_EQ(whole.groups()[0].listed.front().id, "id-0");
  EXPECT_TRUE(whole.has_more_fields());
  EXPECT_EQ(whole.last_kept().back().id, "id-299");
  EXPECT_EQ(whole.first_cut().front().id, "id-300");
  EXPECT_EQ(whole.failures().at("missing").size(), kExamples);
}

TEST(ReportTally, CopiesOfOtherSetsPicturesAreNoGroupAsNoneOfThemStays) {
  const Row other{
      .rank = 1, .id = "b", .keep = false, .reason = "against: set", .duplicate_of = "a", .group = 2};
  auto again = other;
  again.id = "c";
  const auto tally = tally_of(
      {{.rank = 3, .id = "a", .group = 2},
       {.rank = 4, .id = "d", .keep = false, .reason = "duplicate: exact", .duplicate_of = "a", .group = 2},
       other,
       again});
  ASSERT_EQ(tally.groups().size(), 1U);
  ASSERT_EQ(tally.groups()[0].listed.size(), 2U);
  EXPECT_EQ(tally.groups()[0].listed[1].id, "d");
  EXPECT_EQ(tally.of_other_sets().size(), 2U);
}

TEST(ReportTally, DrawsFieldsWhoseValuesAreMostlyNumbers) {
  const auto tally = tally_of({{.fields = R"({"n": "12", "caption": "a cat", "empty": "", "none": null})"},
                               {.fields = R"({"n": 7.5, "caption": "3"})"},
                               {.fields = R"({"n": "1e999", "caption": "x"})"},
                               {.fields = "no json"}});
  const auto fields = tally.numeric_fields();
  ASSERT_EQ(fields.size(), 1U);
  EXPECT_EQ(fields[0].first, "n");
  EXPECT_EQ(fields[0].second->rows(), 2U);
}

}  // namespace
}  // namespace quasar::curation
