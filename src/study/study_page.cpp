#include "study/study_page.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <numeric>
#include <optional>
#include <set>

#include "base/atomic_file.h"
#include "base/logging.h"
#include "corpus/shard_reader.h"
#include "dataset/distorted_items.h"
#include "decode/worker_pool.h"
#include "distort/write_image.h"
#include "plot/figure.h"
#include "study/projection.h"

namespace quasar::study {
namespace {

/// More series than that are not told apart in one figure.
constexpr std::size_t kMostSeries = 8;
constexpr std::size_t kMostDrawn = 1000;
constexpr int kThumbnailSide = 160;

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

/// Whether an axis is one of numbers, and so a line's.
bool is_numeric(const Axis& axis) {
  return axis.levels.size() > 1 &&
         std::ranges::all_of(axis.levels, [](const auto& level) { return number_of(level).has_value(); });
}

std::string file_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "figure" : name;
}

void bar_figures(const StudyTable& table, const std::string& columns, std::vector<NamedFigure>& figures) {
  for (std::size_t first = 0; first < table.rows.size(); first += kMostSeries) {
    const auto last = std::min(table.rows.size(), first + kMostSeries);
    plot::Bars bars;
    bars.title = "SRCC by " + columns;
    bars.description = fmt::format("A group of bars for each of {}, a bar for each of {}.", columns,
                                   table.row_heading.empty() ? "the scores" : table.row_heading);
    bars.y.label = "SRCC";
    bars.categories = table.columns;
    for (std::size_t r = first; r < last; ++r) {
      plot::BarSeries series{table.rows[r], {}, {}, {}};
      for (const auto* cell : table.cells[r]) {
        series.values.push_back(cell == nullptr ? std::nan("") : cell->srcc);
        series.low.push_back(cell == nullptr ? std::nan("") : cell->low);
        series.high.push_back(cell == nullptr ? std::nan("") : cell->high);
      }
      bars.series.push_back(std::move(series));
    }
    figures.emplace_back(first == 0 ? "bars" : fmt::format("bars-{}", first / kMostSeries + 1),
                         bars_svg(bars));
  }
}

void radar_figures(const StudyTable& table, const std::string& columns, std::vector<NamedFigure>& figures) {
  if (table.columns.size() < 3) return;
  for (std::size_t first = 0; first < table.rows.size(); first += kMostSeries) {
    plot::Radar radar;
    radar.title = "SRCC on every one of " + columns;
    radar.description = "A spoke for each; farther out is better.";
    radar.spokes = table.columns;
    radar.axis.label = "SRCC";
    for (std::size_t r = first; r < std::min(table.rows.size(), first + kMostSeries); ++r) {
      plot::RadarSeries series{table.rows[r], {}};
      for (const auto* cell : table.cells[r])
        series.values.push_back(cell == nullptr ? std::nan("") : cell->srcc);
      radar.series.push_back(std::move(series));
    }
    figures.emplace_back(first == 0 ? "radar" : fmt::format("radar-{}", first / kMostSeries + 1),
                         radar_svg(radar));
  }
}

/// Lines over an axis of numbers, one for each combination of the other axes.
void line_figures(const StudyConfig& config, const std::vector<CellSummary>& cells, std::size_t axis,
                  std::vector<NamedFigure>& figures) {
  std::vector<std::pair<std::string, plot::Curve>> curves;
  for (const auto& cell : cells) {
    const auto& levels = config.cells[cell.place].levels;
    std::string name;
    for (std::size_t other = 0; other < levels.size(); ++other) {
      if (other != axis && config.axes[other].levels.size() > 1)
        name += (name.empty() ? "" : ", ") + config.axes[other].levels[levels[other]];
    }
    auto found = std::ranges::find(curves, name, &std::pair<std::string, plot::Curve>::first);
    if (found == curves.end()) {
      curves.push_back({name, {}});
      found = std::prev(curves.end());
      found->second.name = name;
    }
    auto& curve = found->second;
    curve.x.push_back(*number_of(config.axes[axis].levels[levels[axis]]));
    curve.y.push_back(cell.srcc);
    curve.low.push_back(std::isfinite(cell.error) ? cell.low : cell.srcc);
    curve.high.push_back(std::isfinite(cell.error) ? cell.high : cell.srcc);
  }
  for (auto& [name, curve] : curves) {
    std::vector<std::size_t> order(curve.x.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&x = curve.x](std::size_t i) { return x[i]; });
    const auto sorted = [&](std::vector<double>& values) {
      std::vector<double> copy;
      for (const auto i : order) copy.push_back(values[i]);
      values = std::move(copy);
    };
    for (auto* values : {&curve.y, &curve.low, &curve.high, &curve.x}) sorted(*values);
  }
  for (std::size_t first = 0; first < curves.size(); first += kMostSeries) {
    plot::Chart chart;
    chart.title = "SRCC by " + config.axes[axis].name;
    chart.description = config.draws > 1 ? "The bands are a standard error over the draws to either side."
                                         : "One draw of each.";
    chart.x.label = config.axes[axis].name;
    chart.y.label = "SRCC";
    for (std::size_t i = first; i < std::min(curves.size(), first + kMostSeries); ++i)
      chart.curves.push_back(curves[i].second);
    figures.emplace_back(file_name("lines-" + config.axes[axis].name) +
                             (first == 0 ? "" : fmt::format("-{}", first / kMostSeries + 1)),
                         chart_svg(chart));
  }
}

/// Some of the chosen rows, evenly spread over them: [n, d].
std::vector<float> sample(RatedSet& set, const std::vector<std::int64_t>& chosen, std::size_t d) {
  const std::size_t count = std::min(kMostDrawn, chosen.size());
  std::vector<float> rows;
  std::vector<float> row(d);
  for (std::size_t i = 0; i < count; ++i) {
    set.rows().read(chosen[i * chosen.size() / count], 1, row, {});
    if (std::ranges::all_of(row, [](float value) { return std::isfinite(value); }))
      rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

plot::Histogram histogram_of(const Separation& apart, const std::string& title) {
  constexpr std::size_t kBins = 40;
  plot::Histogram histogram;
  histogram.title = title;
  histogram.description = "Anchors on the line from the bad centroid to the good one.";
  histogram.x.label = "projection on good minus bad";
  const auto [low_good, high_good] = std::ranges::minmax(apart.good);
  const auto [low_bad, high_bad] = std::ranges::minmax(apart.bad);
  histogram.low = std::min(low_good, low_bad);
  histogram.high = std::max(high_good, high_bad);
  if (!(histogram.high > histogram.low)) histogram.high = histogram.low + 1;
  const auto counts = [&](const std::vector<double>& values) {
    std::vector<std::uint64_t> bins(kBins, 0);
    for (const double value : values) {
      const double place =
          (value - histogram.low) / (histogram.high - histogram.low) * static_cast<double>(kBins);
      ++bins[std::min(kBins - 1, static_cast<std::size_t>(std::max(0.0, place)))];
    }
    return bins;
  };
  histogram.series = {{"good", counts(apart.good)}, {"bad", counts(apart.bad)}};
  return histogram;
}

/// Of centroids [pairs, d] their mean.
std::vector<float> joined(const std::vector<float>& centroids, std::size_t d) {
  std::vector<float> mean(d);
  const auto pairs = static_cast<double>(centroids.size() / d);
  for (std::size_t j = 0; j < d; ++j) {
    double sum = 0;
    for (std::size_t at = j; at < centroids.size(); at += d) sum += static_cast<double>(centroids[at]);
    mean[j] = static_cast<float>(sum / pairs);
  }
  return mean;
}

std::string picture_bytes(const image::RgbImage& image, const std::filesystem::path& folder) {
  const auto file = folder / fmt::format("thumbnail-{}.jpg", ::getpid());
  distort::write_jpeg(image, file, 85);
  std::ifstream stream(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  std::filesystem::remove(file);
  return bytes;
}

}  // namespace

std::vector<NamedFigure> study_figures(const StudyConfig& config, const std::vector<CellSummary>& cells) {
  std::vector<NamedFigure> figures;
  const auto table = study_table(config, cells);
  bool lines = false;
  for (std::size_t axis = 0; axis < config.axes.size(); ++axis) {
    if (!is_numeric(config.axes[axis])) continue;
    line_figures(config, cells, axis, figures);
    lines = true;
  }
  if (!lines) bar_figures(table, config.columns, figures);
  if (!lines) radar_figures(table, config.columns, figures);
  return figures;
}

std::vector<NamedFigure> projection_figures(const StudyConfig& config, const GridData& grid,
                                            CellWorker& worker, std::string& csv) {
  std::vector<NamedFigure> figures;
  std::set<std::pair<std::string, std::string>> drawn;
  csv = "cell,good,bad,auc,d_prime,explained_1,explained_2\n";
  for (std::size_t place = 0; place < config.cells.size(); ++place) {
    const auto& cell = config.cells[place];
    if (cell.anchor_data.empty() || !drawn.insert({cell.embedder, cell.anchor_data}).second) continue;
    const auto anchors = worker.anchors_of(place, 0);
    const auto d = grid.embedders.at(cell.embedder).dimension;
    auto& set = worker.set_of(cell, true);
    const auto good = sample(set, anchors.split.good, d);
    const auto bad = sample(set, anchors.split.bad, d);
    if (good.empty() || bad.empty()) continue;
    const auto good_centroid = joined(anchors.good, d);
    const auto bad_centroid = joined(anchors.bad, d);
    const TwoSides sides{good, bad, good_centroid, bad_centroid, d};
    const auto plane = principal_plane(sides);
    const auto apart = separation(sides);
    const auto name = describe(config, cell);
    plot::Chart chart;
    chart.title = "Anchors of " + name;
    chart.description = "First two principal components of the anchors' embeddings, with both centroids.";
    chart.x.label = fmt::format("first component ({:.0f}% of the variance)", 100 * plane.explained[0]);
    chart.y.label = fmt::format("second component ({:.0f}%)", 100 * plane.explained[1]);
    chart.points = {{"good", plane.good_x, plane.good_y},
                    {"bad", plane.bad_x, plane.bad_y},
                    {"good centroid", {plane.good_centroid[0]}, {plane.good_centroid[1]}},
                    {"bad centroid", {plane.bad_centroid[0]}, {plane.bad_centroid[1]}}};
    figures.emplace_back(file_name("anchors-" + name + "-pca"), chart_svg(chart));
    const auto title = fmt::format("Anchors of {}: AUC {:.3f}, d' {:.2f}", name, apart.auc, apart.d_prime);
    figures.emplace_back(file_name("anchors-" + name + "-line"), histogram_svg(histogram_of(apart, title)));
    csv += fmt::format("\"{}\",{},{},{},{},{},{}\n", name, good.size() / d, bad.size() / d, apart.auc,
                       apart.d_prime, plane.explained[0], plane.explained[1]);
  }
  return figures;
}

std::vector<Sheet> sheets_of(const StudyConfig& config, std::size_t place, CellWorker& worker) {
  const auto& cell = config.cells[place];
  const auto scores = worker.scores_of(place, worker.anchors_of(place, 0));
  auto& set = worker.set_of(cell, false);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (std::isfinite(scores[i])) order.push_back(i);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(config.sheet), order.size());
  decode::PoolConfig pool;
  pool.decode = cell.config.decode;
  pool.spec.resize = base::ResizeRule::kShorterSideAtMost;
  pool.spec.center_crop = false;
  pool.spec.size = kThumbnailSide;
  decode::WorkerPool decoder(pool);
  const auto& plan = set.data().plan();
  const auto sheet = [&](const std::string& title, std::size_t first) {
    Sheet result{title + ", " + describe(config, cell), {}};
    for (std::size_t i = first; i < first + count; ++i) {
      const auto& shard = set.data().shard_of(static_cast<std::int64_t>(order[i]));
      const corpus::ShardReader reader(plan.read_items(shard),
                                       static_cast<std::uint64_t>(cell.config.decode.max_file_bytes));
      const auto row = order[i] - static_cast<std::size_t>(shard.first);
      const auto& item = reader.item(row);
      plot::Thumbnail thumbnail{"image/jpeg",
                                "",
                                "",
                                item.id,
                                {fmt::format("score {:.3f}", scores[order[i]]),
                                 fmt::format("label {:.4g}", set.labels()[order[i]])}};
      std::vector<std::byte> bytes;
      const auto outcome = reader.read(row, bytes);
      thumbnail.missing = outcome.error;
      if (outcome.status == base::RowStatus::kOk) {
        const auto prepared = decoder.decode(0, dataset::picture_request(item), bytes);
        if (prepared && prepared->status == base::RowStatus::kOk) {
          thumbnail.bytes = picture_bytes(prepared->image, config.folder);
        } else {
          thumbnail.missing = prepared ? prepared->error : "stopped";
        }
      }
      result.pictures.push_back(std::move(thumbnail));
    }
    return result;
  };
  return {sheet("Best", 0), sheet("Median", (order.size() - count) / 2),
          sheet("Lowest", order.size() - count)};
}

std::string study_page(const StudyConfig& config, const std::vector<CellSummary>& cells,
                       const std::vector<NamedFigure>& figures, const std::vector<NamedFigure>& projections,
                       const std::vector<Sheet>& sheets) {
  plot::Page page("Quasar study: " + config.name, "Study: " + config.name);
  std::uint64_t undefined = 0;
  std::uint64_t unscored = 0;
  std::uint64_t unlabelled = 0;
  for (const auto& cell : cells) {
    for (const auto& draw : cell.draws) {
      undefined += std::isfinite(draw.srcc) ? 0 : 1;
      unscored = std::max(unscored, draw.unscored);
      unlabelled = std::max(unlabelled, draw.unlabelled);
    }
  }
  page.paragraph(
      fmt::format("{} cells, {} draw{} each. Rank correlation (SRCC) of scores and labels, with its sign. "
                  "Values after ± are standard errors over the draws.",
                  cells.size(), config.draws, config.draws == 1 ? "" : "s"));
  const auto table = study_table(config, cells);
  plot::Table shown;
  shown.columns.push_back({table.row_heading.empty() ? " " : table.row_heading, plot::ColumnKind::kText});
  for (const auto& column : table.columns) shown.columns.push_back({column, plot::ColumnKind::kNumber});
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = shown.rows.emplace_back(1, table.rows[r]);
    for (const auto* cell : table.cells[r]) row.push_back(cell_text(cell, " ± "));
  }
  page.table(shown);
  std::vector<std::string> svgs;
  for (const auto& [name, svg] : figures) svgs.push_back(svg);
  page.figures(svgs);
  if (!projections.empty()) {
    page.heading(2, "Anchors");
    svgs.clear();
    for (const auto& [name, svg] : projections) svgs.push_back(svg);
    page.figures(svgs);
  }
  for (const auto& sheet : sheets) {
    page.heading(2, sheet.title);
    page.thumbnails(sheet.pictures);
  }
  page.heading(2, "Left out");
  page.counts({{"combinations of levels that exclude leaves out", config.excluded},
               {"cells and draws without a correlation", undefined},
               {"pictures without a score, of the cell with most", unscored},
               {"scored pictures without a label, of the cell with most", unlabelled}});
  return std::move(page).finish();
}

}  // namespace quasar::study
