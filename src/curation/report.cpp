#include "curation/report.h"

#include <fmt/format.h>
#include <utility>

#include "base/progress.h"
#include "curation/cell_text.h"
#include "plot/figure.h"
#include "plot/page.h"

namespace quasar::curation {
namespace {

std::string histogram_svg(const std::string& name, const ColumnStatistics& statistics) {
  plot::Histogram histogram;
  histogram.title = name;
  histogram.description = "How many rows have which score.";
  histogram.low = statistics.min;
  histogram.high = statistics.max;
  histogram.series = {{"", {statistics.histogram.begin(), statistics.histogram.end()}}};
  return plot::histogram_svg(histogram);
}

void append_columns(const CurationResult& result, plot::Page& page) {
  page.heading(2, "Scores");
  for (const auto& [name, statistics] : result.columns) {
    page.heading(3, name);
    if (statistics.count == 0) {
      page.paragraph("No row has a score.");
      continue;
    }
    page.figure(histogram_svg(name, statistics));
    plot::Table table;
    table.rows.emplace_back();
    const auto add = [&table](std::string heading, double value) {
      table.columns.push_back({std::move(heading), plot::ColumnKind::kNumber});
      table.rows.front().push_back(fmt::format("{:.4f}", value));
    };
    for (std::size_t i = 0; i < statistics.quantiles.size(); ++i) {
      add(i == 0                                 ? "minimum"
          : i + 1 == statistics.quantiles.size() ? "maximum"
                                                 : fmt::format("{} %", 10 * i),
          statistics.quantiles[i]);
    }
    add("mean", statistics.mean);
    page.table(table);
  }
}

void append_counts(const char* title, const std::vector<std::pair<std::string, std::uint64_t>>& counts,
                   plot::Page& page) {
  page.heading(2, title);
  page.counts(counts);
}

void append_rows(const char* title, std::span<const ReportRow> rows, plot::Page& page) {
  using Kind = plot::ColumnKind;
  if (rows.empty()) return;
  page.heading(2, title);
  plot::Table table{{{"rank", Kind::kNumber},
                     {"score", Kind::kNumber},
                     {"percentile", Kind::kNumber},
                     {"id", Kind::kLong},
                     {"keep"},
                     {"reason"}},
                    {}};
  for (const auto& row : rows) {
    table.rows.push_back({std::to_string(row.rank), shortest(row.score),
                          fmt::format("{:.2f}", row.percentile), row.id, row.keep ? "yes" : "no",
                          row.reason});
  }
  page.table(table);
}

/// The combination of a single column is that column, and the page has no other.
std::string ranked_by(const CurationResult& result, const CurationConfig& config) {
  return result.columns.size() == 1 ? result.columns.begin()->first : config.rank_by;
}

}  // namespace

std::string report_html(const CurationResult& result, const CurationConfig& config,
                        const std::map<std::string, std::string>& versions, std::span<const ReportRow> best,
                        std::span<const ReportRow> worst) {
  plot::Page page("Quasar: ranking", "Ranking");
  page.paragraph(fmt::format("{} rows: {} scored, {} failed; {} kept. Ranked by {}.",
                             base::with_thousands(result.rows), base::with_thousands(result.scored),
                             base::with_thousands(result.failed), base::with_thousands(result.kept),
                             ranked_by(result, config)));
  append_columns(result, page);
  append_counts("Kept and dropped", {result.by_reason.begin(), result.by_reason.end()}, page);
  std::vector<std::pair<std::string, std::uint64_t>> by_filter;
  for (const auto& [rule, count] : result.by_filter) by_filter.emplace_back(rule.name, count.failed);
  if (!by_filter.empty())
    append_counts("Scored rows that a filter drops, whatever others do", by_filter, page);
  std::vector<std::pair<std::string, std::uint64_t>> by_status;
  for (const auto& [status, count] : result.by_status)
    by_status.emplace_back(base::status_name(status), count);
  append_counts("Status", by_status, page);
  if (result.by_computed_on.size() > 1) {
    append_counts("Computed on", {result.by_computed_on.begin(), result.by_computed_on.end()}, page);
  }
  if (!result.left_out.empty())
    append_counts("Left out of the corpus", {result.left_out.begin(), result.left_out.end()}, page);
  if (!result.noted.empty())
    append_counts("Noted in the corpus", {result.noted.begin(), result.noted.end()}, page);
  append_rows("Best", best, page);
  append_rows("Worst", worst, page);
  page.heading(2, "Software");
  plot::Table software{{{""}, {"", plot::ColumnKind::kLong}}, {}};
  for (const auto& [name, version] : versions) software.rows.push_back({name, version});
  page.table(software);
  return std::move(page).finish();
}

}  // namespace quasar::curation
