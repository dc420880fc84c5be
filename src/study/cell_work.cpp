#include "study/cell_work.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/stop_signal.h"
#include "evaluation/correlation.h"
#include "evaluation/intervals.h"
#include "scoring/score.h"

namespace quasar::study {
namespace {

constexpr std::int64_t kRowsAtOnce = 4096;

/// The seed of a draw; the recipe's own for the first.
std::uint64_t seed_of(const anchors::AnchorRecipe& recipe, int draw) {
  return recipe.seed + static_cast<std::uint64_t>(draw);
}

}  // namespace

CellWorker::CellWorker(const StudyConfig& config, const GridData& grid, int threads)
    : config_(config), grid_(grid), threads_(threads) {}

RatedSet& CellWorker::set_of(const Cell& cell, bool of_anchors) {
  const Key key(cell.embedder, of_anchors ? cell.anchor_data : cell.corpus);
  const auto found = std::ranges::find(kept_, key, &std::pair<Key, std::unique_ptr<RatedSet>>::first);
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
    return *kept_.front().second;
  }
  const auto dimension = grid_.embedders.at(cell.embedder).dimension;
  const auto& data = grid_.sets.at(key).data;
  const auto limit = static_cast<std::uint64_t>(config_.memory);
  const std::uint64_t wanted =
      std::min<std::uint64_t>(limit / 2, data.plan().item_count() * dimension * sizeof(float));
  const auto held = [&] {
    std::uint64_t bytes = 0;
    for (const auto& [other, set] : kept_) bytes += set->bytes();
    return bytes;
  };
  // One stays, which the caller may be at.
  while (kept_.size() > 1 && held() + wanted > limit) kept_.pop_back();
  kept_.emplace_front(key, std::make_unique<RatedSet>(data, dimension, limit / 2));
  return *kept_.front().second;
}

CellAnchors CellWorker::anchors_of(std::size_t place, int draw) {
  const auto& cell = config_.cells[place];
  const auto ready = grid_.ready.find(place);
  if (ready != grid_.ready.end()) {
    const auto rows = static_cast<std::int64_t>(ready->second.pairs());
    return {ready->second.good, ready->second.bad, rows, rows, {}};
  }
  auto& data = set_of(cell, true);
  const auto& recipe = cell.anchors().recipe;
  CellAnchors result;
  result.split =
      recipe.kind == anchors::AnchorKind::kFullReference
          ? anchors::split_full_reference(data.labelled(), recipe.ratio, seed_of(recipe, draw))
          : anchors::split_no_reference(data.labelled(), recipe.offset, recipe.ratio, seed_of(recipe, draw));
  anchors::AggregateRuntime runtime;
  runtime.threads = threads_;
  runtime.stop_requested = base::stop_requested;
  auto config = recipe.aggregate;
  config.kmeans.seed += static_cast<std::uint64_t>(draw);
  auto centroids = anchors::aggregate(data.rows(), result.split, config, alone_, runtime);
  result.good = std::move(centroids.good);
  result.bad = std::move(centroids.bad);
  result.good_rows = centroids.good_rows;
  result.bad_rows = centroids.bad_rows;
  return result;
}

std::vector<double> CellWorker::scores_of(std::size_t place, const CellAnchors& anchors) {
  const auto& cell = config_.cells[place];
  const auto d = grid_.embedders.at(cell.embedder).dimension;
  const auto good = anchors::normalised(anchors.good, d);
  const auto bad = anchors::normalised(anchors.bad, d);
  const scoring::AnchorPairs pairs{good, bad, d};
  auto& corpus = set_of(cell, false);
  auto& rows = corpus.rows();
  std::vector<double> scores(static_cast<std::size_t>(rows.size()));
  std::vector<float> block;
  std::vector<float> values;
  const auto resident = rows.resident();
  for (std::int64_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    base::end_if_stopped();
    const auto count = std::min(kRowsAtOnce, rows.size() - first);
    const auto at = static_cast<std::size_t>(first);
    const auto length = static_cast<std::size_t>(count);
    std::span<const float> embeddings;
    if (resident.empty()) {
      block.resize(length * d);
      rows.read(first, count, block, {});
      embeddings = block;
    } else {
      embeddings = resident.subspan(at * d, length * d);
    }
    values.resize(length);
    scoring::score_rows(embeddings, pairs, values);
    std::copy(values.begin(), values.end(), scores.begin() + first);
  }
  return scores;
}

CellResult CellWorker::compute(std::size_t place, int draw) {
  const auto& cell = config_.cells[place];
  // Whatever is read is kept for the next cells: it is no part of what this one takes.
  set_of(cell, false);
  if (!cell.anchor_data.empty()) set_of(cell, true);
  const auto begin = std::chrono::steady_clock::now();
  const auto anchors = anchors_of(place, draw);
  const auto scores = scores_of(place, anchors);
  const auto& labels = set_of(cell, false).labels();
  CellResult result;
  result.rows = scores.size();
  result.good = anchors.good_rows;
  result.bad = anchors.bad_rows;
  std::vector<double> x;
  std::vector<double> y;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) {
      ++result.unscored;
    } else if (!std::isfinite(labels[i])) {
      ++result.unlabelled;
    } else {
      x.push_back(scores[i]);
      y.push_back(labels[i]);
    }
  }
  result.n = x.size();
  const double none = std::numeric_limits<double>::quiet_NaN();
  result.srcc = result.krcc = result.plcc = result.srcc_low = result.srcc_high = none;
  if (x.size() < kLeastRated) {
    result.undefined = "fewer than three pictures have a score and a label";
  } else {
    result.srcc = evaluation::spearman(x, y);
    result.krcc = evaluation::kendall(x, y);
    result.plcc = evaluation::pearson(x, y);
    std::optional<evaluation::Interval> interval = evaluation::bonett_wright_interval(result.srcc, result.n);
    if (config_.resamples > 0) {
      const auto resampled = evaluation::bootstrap(x, y, config_.resamples, 1);
      interval = resampled ? std::optional(resampled->srcc) : std::nullopt;
    }
    if (interval) {
      result.srcc_low = interval->low;
      result.srcc_high = interval->high;
    }
    if (std::isnan(result.srcc)) result.undefined = "the scores or the labels are constant";
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace quasar::study
