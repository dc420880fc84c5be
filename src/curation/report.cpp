#include "curation/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "base/errors.h"
#include "base/progress.h"
#include "curation/curation_config.h"
#include "plot/figure.h"

namespace quasar::curation {
namespace {

using nlohmann::ordered_json;
using Kind = plot::ColumnKind;

constexpr std::size_t kBins = 30;

std::string count_text(std::uint64_t count) {
  return base::with_thousands(count);
}

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count_text(count), count == 1 ? one : many);
}

std::uint64_t count_in(const ordered_json& object, const char* key) {
  return object.at(key).get<std::uint64_t>();
}

/// A member, or an empty object where there is none.
const ordered_json& part(const ordered_json& object, const char* key) {
  static const auto kNone = ordered_json::object();
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

/// The step of selection that gives a reason, in the order of the steps.
std::size_t step_of(std::string_view reason) {
  constexpr std::string_view kSteps[] = {"status: ",
                                         "below_minimum: ",
                                         kOutOfDistributionColumn,
                                         "filter: ",
                                         "against: ",
                                         "duplicate: exact",
                                         "duplicate: perceptual",
                                         "duplicate: ",
                                         "balance",
                                         "below_threshold",
                                         "beyond_"};
  for (std::size_t step = 0; step < std::size(kSteps); ++step) {
    if (reason.starts_with(kSteps[step])) return step;
  }
  return std::size(kSteps);
}

bool is_kept_reason(std::string_view reason) {
  return reason == "all" || reason == "threshold" || reason == "top_k" || reason == "top_fraction";
}

/// The rows that each reason drops, in the order of the steps, and what is left after each.
void append_funnel(const ordered_json& summary, plot::Page& page) {
  struct Step {
    std::size_t step;
    std::size_t order;
    std::string reason;
    std::uint64_t dropped;
  };
  std::vector<std::string> filters;
  for (const auto& [name, filter] : part(summary, "filters").items()) filters.push_back("filter: " + name);
  std::vector<Step> steps;
  for (const auto& [reason, count] : part(summary, "by_reason").items()) {
    if (is_kept_reason(reason)) continue;
    std::size_t order = 0;
    // A filter's rows without a value follow those that it drops for theirs.
    while (order < filters.size() && reason != filters[order] && reason != filters[order] + " (no value)")
      ++order;
    steps.push_back({step_of(reason), order, reason, count.get<std::uint64_t>()});
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return std::pair(a.step, a.order) < std::pair(b.step, b.order);
  });
  const auto rows = count_in(summary, "rows");
  plot::BarTable table;
  table.name = "What each step drops and leaves";
  table.columns = {"step", "dropped", "left"};
  table.whole = rows;
  table.rows.push_back({"all rows", "", count_text(rows), rows, 0});
  auto left = rows;
  for (const auto& step : steps) {
    left -= std::min(left, step.dropped);
    table.rows.push_back({step.reason, count_text(step.dropped), count_text(left), left, step.dropped});
  }
  page.heading(2, "From all rows to those kept");
  page.paragraph(
      "A row is dropped for the first reason that applies. Full bars are the rows left after a step, pale "
      "ones "
      "those that it drops.");
  page.bars(table);
}

std::string histogram_of(const std::string& title, const std::string& what, const ValueCounts& values) {
  const auto bins = values.histogram(kBins);
  plot::Histogram histogram;
  histogram.title = title;
  std::uint64_t kept = 0;
  std::uint64_t dropped = 0;
  for (const auto count : bins.kept) kept += count;
  for (const auto count : bins.dropped) dropped += count;
  histogram.description = fmt::format("How many rows have which {}: {} kept and {} dropped, from {} to {}.",
                                      what, count_text(kept), count_text(dropped),
                                      plot::short_number(bins.low), plot::short_number(bins.high));
  histogram.low = bins.low;
  histogram.high = bins.high;
  histogram.x.logarithmic = bins.logarithmic;
  histogram.series = {{"kept", bins.kept}, {"dropped", bins.dropped}};
  return plot::histogram_svg(histogram);
}

void append_scores(const ordered_json& summary, const ReportTally& tally, plot::Page& page) {
  page.heading(2, "Scores");
  std::vector<std::string> figures;
  plot::Table table{{{"score", Kind::kLong}}, {}};
  for (const auto& [name, statistics] : part(summary, "columns").items()) {
    const auto values = tally.values().find(name);
    if (count_in(statistics, "count") == 0 || values == tally.values().end()) {
      page.paragraph(name + ": no row has a score.");
      continue;
    }
    figures.push_back(histogram_of(name, "score", values->second));
    const auto& deciles = statistics.at("deciles");
    auto& row = table.rows.emplace_back();
    row.push_back(name);
    const auto add = [&](const std::string& heading, const ordered_json& value) {
      if (table.rows.size() == 1) table.columns.push_back({heading, Kind::kNumber});
      row.push_back(value.is_number() ? fmt::format("{:.4f}", value.get<double>()) : "-");
    };
    for (std::size_t i = 0; i < deciles.size(); ++i) {
      add(i == 0 ? "minimum" : i + 1 == deciles.size() ? "maximum" : fmt::format("{} %", 10 * i), deciles[i]);
    }
    add("mean", statistics.at("mean"));
  }
  page.figures(figures);
  if (!table.rows.empty()) page.table(table);
}

void append_pictures_measures(const ReportTally& tally, plot::Page& page) {
  constexpr std::pair<const char*, const char*> kMeasures[] = {{"/shorter side", "shorter side, pixels"},
                                                               {"/aspect", "aspect, longer by shorter side"},
                                                               {"/bytes", "bytes of the file"},
                                                               {"/label", "label"}};
  std::vector<std::string> figures;
  for (const auto& [key, what] : kMeasures) {
    const auto values = tally.values().find(key);
    if (values != tally.values().end()) figures.push_back(histogram_of(what, what, values->second));
  }
  if (figures.empty() && tally.formats().empty()) return;
  page.heading(2, "Pictures");
  page.figures(figures);
  if (tally.formats().empty()) return;
  page.heading(3, "Formats");
  plot::BarTable table;
  table.name = "Rows kept and dropped by format";
  table.columns = {"format", "dropped", "kept"};
  std::vector<std::pair<std::string, KeptCount>> formats(tally.formats().begin(), tally.formats().end());
  const auto rows = [](const auto& format) { return format.second.kept + format.second.dropped; };
  std::stable_sort(formats.begin(), formats.end(),
                   [&](const auto& a, const auto& b) { return rows(a) > rows(b); });
  table.whole = rows(formats.front());
  for (const auto& [name, count] : formats)
    table.rows.push_back(
        {name, count_text(count.dropped), count_text(count.kept), count.kept, count.dropped});
  page.bars(table);
}

void append_fields(const ReportTally& tally, plot::Page& page) {
  std::vector<std::string> figures;
  for (const auto& [name, values] : tally.numeric_fields())
    figures.push_back(histogram_of(name, "value of the field", *values));
  if (figures.empty()) return;
  page.heading(2, "Fields of the corpus");
  if (tally.has_more_fields())
    page.paragraph(fmt::format("Of the first {} fields by name; there are more.", kDrawnFields));
  page.figures(figures);
}

/// Rows of the clusters of each level before and after balancing, where the ranking has balanced.
void append_balance(const ordered_json& summary, plot::Page& page) {
  const auto& levels = part(part(summary, "balance"), "levels");
  if (levels.empty()) return;
  constexpr const char* kSpread[] = {"min", "median", "max"};
  std::vector<std::string> figures;
  plot::Table table{{{"level"}, {"clusters", Kind::kNumber}}, {}};
  for (const char* when : {"before", "after"}) {
    for (const char* size : kSpread)
      table.columns.push_back({fmt::format("{} {}", size, when), Kind::kNumber});
  }
  for (const auto& level : levels) {
    plot::Bars bars;
    bars.title = fmt::format("Level {}: rows of a cluster", figures.size() + 1);
    bars.description =
        "Rows of the smallest, the median and the largest cluster, before and after balancing.";
    bars.categories = {"smallest", "median", "largest"};
    auto& row = table.rows.emplace_back();
    row = {std::to_string(figures.size() + 1), count_text(count_in(level, "clusters"))};
    for (const char* when : {"before", "after"}) {
      plot::BarSeries series{.name = when, .values = {}, .low = {}, .high = {}};
      for (const char* size : kSpread) {
        series.values.push_back(level.at(when).at(size).get<double>());
        row.push_back(plot::short_number(series.values.back()));
      }
      bars.series.push_back(std::move(series));
    }
    figures.push_back(plot::bars_svg(bars));
  }
  page.heading(2, "Clusters before and after balancing");
  page.figures(figures);
  page.table(table);
}

plot::Thumbnail thumbnail_of(const ReportRow& row, const RowDetails& details) {
  plot::Thumbnail thumbnail;
  const auto found = details.find(row.id);
  if (found != details.end()) thumbnail = found->second.picture;
  thumbnail.name = row.id;
  if (thumbnail.bytes.empty() && thumbnail.missing.empty()) thumbnail.missing = "no picture";
  thumbnail.remarks = {
      fmt::format("rank {}, score {}, percentile {}", count_text(row.rank), row.score, row.percentile),
      (row.keep ? "kept: " : "dropped: ") + row.reason};
  return thumbnail;
}

template <typename Rows>
void append_gallery(const char* title, const Rows& rows, const RowDetails& details, plot::Page& page) {
  if (rows.empty()) return;
  page.heading(2, title);
  std::vector<plot::Thumbnail> pictures;
  for (const auto& row : rows) pictures.push_back(thumbnail_of(row, details));
  page.thumbnails(pictures);
}

void append_borderline(const ReportTally& tally, const RowDetails& details, plot::Page& page) {
  if (tally.first_cut().empty()) return;
  page.heading(2, "At the cut");
  page.paragraph("The last rows that are kept, and the first that the rule of keeping drops.");
  std::vector<plot::Thumbnail> pictures;
  for (const auto& row : tally.last_kept()) pictures.push_back(thumbnail_of(row, details));
  for (const auto& row : tally.first_cut()) pictures.push_back(thumbnail_of(row, details));
  page.thumbnails(pictures);
}

void append_groups(const ReportTally& tally, const RowDetails& details, plot::Page& page) {
  const auto groups = tally.groups();
  if (!groups.empty()) {
    page.heading(2, "Copies of one picture");
    page.paragraph(fmt::format(
        "The largest groups, {} at most: the row that stays first, with how far the others are from "
        "it.",
        kListedGroups));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& group = groups[i];
    page.heading(3, fmt::format("Group {}: {}{}", i + 1, plural(group.rows, "row", "rows"),
                                group.listed.size() < group.rows
                                    ? fmt::format(", of which {} are shown", group.listed.size())
                                    : ""));
    std::vector<plot::Thumbnail> pictures;
    for (const auto& row : group.listed) {
      pictures.push_back(thumbnail_of(row, details));
      if (!row.duplicate_of.empty())
        pictures.back().remarks.insert(pictures.back().remarks.begin(), "distance " + row.distance);
    }
    page.thumbnails(pictures);
  }
  if (tally.of_other_sets().empty()) return;
  page.heading(2, "Copies of pictures of other sets");
  plot::Table table{{{"reason"}, {"id", Kind::kLong}, {"copy of", Kind::kLong}, {"distance", Kind::kNumber}},
                    {}};
  for (const auto& row : tally.of_other_sets())
    table.rows.push_back({row.reason, row.id, row.duplicate_of, row.distance});
  page.table(table);
}

void append_failures(const ordered_json& summary, const ReportTally& tally, const RowDetails& details,
                     plot::Page& page) {
  plot::Table table{
      {{"failure"}, {"rows", Kind::kNumber}, {"for example", Kind::kLong}, {"message", Kind::kLong}}, {}};
  for (const auto& [status, count] : part(summary, "by_status").items()) {
    const auto rows = tally.failures().find(status);
    if (rows == tally.failures().end()) continue;
    std::string name = status;
    std::string all = count_text(count.get<std::uint64_t>());
    for (const auto& row : rows->second) {
      const auto found = details.find(row.id);
      table.rows.push_back({std::exchange(name, ""), std::exchange(all, ""), row.id,
                            found == details.end() ? "" : found->second.error});
    }
  }
  if (table.rows.empty()) return;
  page.heading(2, "Failures");
  page.paragraph(fmt::format("Each kind with its first rows by id, {} at most.", kExamples));
  page.table(table);
}

void append_counts(const char* title, const ordered_json& counts, plot::Page& page) {
  if (counts.empty()) return;
  page.heading(2, title);
  std::vector<std::pair<std::string, std::uint64_t>> pairs;
  for (const auto& [name, count] : counts.items()) pairs.emplace_back(name, count.get<std::uint64_t>());
  page.counts(pairs);
}

/// The combination of a single score is that score.
std::string ranked_by(const ordered_json& summary) {
  const auto& columns = part(summary, "columns");
  const auto rank_by = summary.at("config").at("rank_by").get<std::string>();
  return columns.contains(rank_by) || columns.empty() ? rank_by : columns.begin().key();
}

std::string keep_rule(const ordered_json& summary) {
  const auto& keep = part(part(summary, "config"), "keep");
  if (keep.contains("threshold")) return fmt::format("scores of at least {}", keep.at("threshold").dump());
  if (keep.contains("top_k")) return fmt::format("the best {}", count_text(count_in(keep, "top_k")));
  if (keep.contains("top_fraction"))
    return fmt::format("the best {:.6g} % of those scored", 100 * keep.at("top_fraction").get<double>());
  return "all that no other step drops";
}

std::string page_of(const ordered_json& summary, const ReportTally& tally, const RowDetails& details) {
  plot::Page page("Quasar: ranking", "Ranking");
  page.paragraph(fmt::format("{} rows: {} scored, {} failed; {} kept. Ranked by {}; kept are {}.",
                             count_text(count_in(summary, "rows")), count_text(count_in(summary, "scored")),
                             count_text(count_in(summary, "failed")), count_text(count_in(summary, "kept")),
                             ranked_by(summary), keep_rule(summary)));
  append_funnel(summary, page);
  auto by_filter = ordered_json::object();
  for (const auto& [name, filter] : part(summary, "filters").items())
    by_filter[name] = filter.at("rows_failed");
  append_counts("Scored rows that a filter drops, whatever others do", by_filter, page);
  append_scores(summary, tally, page);
  append_pictures_measures(tally, page);
  append_fields(tally, page);
  append_balance(summary, page);
  append_gallery("Best", tally.best(), details, page);
  append_gallery("Median", tally.median(), details, page);
  append_gallery("Worst", tally.worst(), details, page);
  append_borderline(tally, details, page);
  append_groups(tally, details, page);
  append_failures(summary, tally, details, page);
  if (const auto& computed_on = part(summary, "computed_on"); computed_on.size() > 1)
    append_counts("Computed on", computed_on, page);
  append_counts("Left out of the corpus", part(summary, "left_out"), page);
  append_counts("Noted in the corpus", part(summary, "noted"), page);
  page.heading(2, "Software");
  plot::Table software{{{""}, {"", Kind::kLong}}, {}};
  for (const auto& [name, version] : part(summary, "software").items())
    software.rows.push_back({name, version.get<std::string>()});
  page.table(software);
  return std::move(page).finish();
}

}  // namespace

std::vector<std::string> shown_ids(const ReportTally& tally) {
  std::set<std::string> ids;
  const auto add = [&](const auto& rows) {
    for (const auto& row : rows) ids.insert(row.id);
  };
  add(tally.best());
  add(tally.median());
  add(tally.worst());
  if (!tally.first_cut().empty()) {
    add(tally.last_kept());
    add(tally.first_cut());
  }
  for (const auto& group : tally.groups()) add(group.listed);
  for (const auto& [status, rows] : tally.failures()) add(rows);
  return {ids.begin(), ids.end()};
}

std::string report_html(const std::string& summary, const ReportTally& tally, const RowDetails& details) {
  try {
    return page_of(ordered_json::parse(summary), tally, details);
  } catch (const nlohmann::json::exception& error) {
    base::fail(base::ExitCode::kInput, std::string("summary.json is not as rankings write it (") +
                                           error.what() + "): \"quasar rank\" writes it again");
  }
}

}  // namespace quasar::curation
