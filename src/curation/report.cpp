#include "curation/report.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/progress.h"
#include "curation/cell_text.h"

namespace quasar::curation {
namespace {

/// Text for HTML, in element content and in quoted attributes. Control characters, which HTML forbids, are
/// replaced.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        if ((c >= 0 && c < 0x20) || c == 0x7F) {
          result += "\xEF\xBF\xBD";
        } else {
          result += c;
        }
    }
  }
  return result;
}

std::string histogram_svg(const std::string& name, const ColumnStatistics& statistics) {
  constexpr std::uint64_t kHeight = 120;
  constexpr std::size_t kBarWidth = 14;
  const std::uint64_t highest = *std::max_element(statistics.histogram.begin(), statistics.histogram.end());
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"histogram of {}\">\n",
                                kHistogramBins * kBarWidth, kHeight + 20, escaped(name));
  for (std::size_t bin = 0; bin < kHistogramBins; ++bin) {
    const std::uint64_t count = statistics.histogram[bin];
    // A bin that is not empty shows, however small.
    const std::uint64_t height =
        highest == 0 || count == 0
            ? 0
            : std::max<std::uint64_t>(
                  1, static_cast<std::uint64_t>(
                         std::llround(static_cast<double>(count) / static_cast<double>(highest) * kHeight)));
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>\n",
                       bin * kBarWidth, kHeight - height, kBarWidth - 1, height, base::with_thousands(count));
  }
  svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text>\n", kHeight + 16,
                     shortest(static_cast<float>(statistics.min)));
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n</svg>\n",
                     kHistogramBins * kBarWidth, kHeight + 16, shortest(static_cast<float>(statistics.max)));
  return svg;
}

void append_columns(const CurationResult& result, std::string& page) {
  page += "<h2>Scores</h2>\n";
  for (const auto& [name, statistics] : result.columns) {
    page += "<h3>" + escaped(name) + "</h3>\n";
    if (statistics.count == 0) {
      page += "<p>No row has a score.</p>\n";
      continue;
    }
    page += histogram_svg(name, statistics);
    page += "<table><tr><th class=\"n\">minimum</th>";
    for (int decile = 10; decile < 100; decile += 10)
      page += fmt::format("<th class=\"n\">{} %</th>", decile);
    page += "<th class=\"n\">maximum</th><th class=\"n\">mean</th></tr>\n<tr>";
    for (const double quantile : statistics.quantiles) {
      page += fmt::format("<td class=\"n\">{:.4f}</td>", quantile);
    }
    page += fmt::format("<td class=\"n\">{:.4f}</td></tr></table>\n", statistics.mean);
  }
}

void append_counts(const char* title, const std::vector<std::pair<std::string, std::uint64_t>>& counts,
                   std::string& page) {
  page += fmt::format("<h2>{}</h2>\n<table>\n", title);
  for (const auto& [name, count] : counts) {
    page += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td></tr>\n", escaped(name),
                        base::with_thousands(count));
  }
  page += "</table>\n";
}

void append_rows(const char* title, std::span<const ReportRow> rows, std::string& page) {
  if (rows.empty()) return;
  page += fmt::format(
      "<h2>{}</h2>\n<table>\n<tr><th class=\"n\">rank</th><th class=\"n\">score</th><th "
      "class=\"n\">percentile</th><th>id</th>"
      "<th>keep</th><th>reason</th></tr>\n",
      title);
  for (const auto& row : rows) {
    page += fmt::format(
        "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.2f}</td><td "
        "class=\"long\">{}</td><td>{}</td>"
        "<td>{}</td></tr>\n",
        row.rank, shortest(row.score), row.percentile, escaped(row.id), row.keep ? "yes" : "no",
        escaped(row.reason));
  }
  page += "</table>\n";
}

/// The combination of a single column is that column, and the page has no other.
std::string ranked_by(const CurationResult& result, const CurationConfig& config) {
  return result.columns.size() == 1 ? result.columns.begin()->first : config.rank_by;
}

constexpr std::string_view kHead =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<title>Quasar: ranking</title>\n<style>\n"
    "body { font: 15px/1.4 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }\n"
    "table { border-collapse: collapse; margin: 0.5em 0; }\n"
    "td, th { border-bottom: 1px solid #ddd; padding: 0.2em 0.7em; text-align: left; white-space: nowrap; }\n"
    ".n { text-align: right; font-variant-numeric: tabular-nums; }\n"
    ".long { white-space: normal; overflow-wrap: anywhere; }\n"
    "svg { width: 100%; max-width: 40em; } rect { fill: #4472a8; } text { font-size: 11px; fill: #555; }\n"
    "</style>\n</head>\n<body>\n<h1>Ranking</h1>\n";

}  // namespace

std::string report_html(const CurationResult& result, const CurationConfig& config,
                        const std::map<std::string, std::string>& versions, std::span<const ReportRow> best,
                        std::span<const ReportRow> worst) {
  std::string page(kHead);
  page += fmt::format("<p>{} rows: {} scored, {} failed; {} kept. Ranked by {}.</p>\n",
                      base::with_thousands(result.rows), base::with_thousands(result.scored),
                      base::with_thousands(result.failed), base::with_thousands(result.kept),
                      escaped(ranked_by(result, config)));
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
  page += "<h2>Software</h2>\n<table>\n";
  for (const auto& [name, version] : versions) {
    page += "<tr><td>" + escaped(name) + "</td><td class=\"long\">" + escaped(version) + "</td></tr>\n";
  }
  return page + "</table>\n</body>\n</html>\n";
}

}  // namespace quasar::curation
