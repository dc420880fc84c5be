#include "curation/selection.h"

#include <cmath>
#include <map>
#include <utility>

#include "base/errors.h"
#include "base/status.h"

namespace quasar::curation {
namespace {

/// Rank and percentile of rows with scores, and what became of the others.
class RankPass : public SelectionPass {
 public:
  explicit RankPass(std::uint64_t scored) : scored_(scored) {
    for (const auto status : base::all_statuses())
      reasons_.emplace(base::status_name(status), "status: " + std::string(base::status_name(status)));
  }
  void begin(const Columns& columns) override {
    rank_ = columns.index_of("rank");
    percentile_ = columns.index_of("percentile");
    status_ = columns.index_of("status");
  }
  std::string_view apply(const Place& place, ManifestRow& row) override {
    if (!place.scored) return reasons_.at(std::get<std::string_view>(row[status_]));
    row[rank_] = place.position + 1;
    row[percentile_] =
        100.0 * static_cast<double>(scored_ - place.first_of_score) / static_cast<double>(scored_);
    return {};
  }

 private:
  std::uint64_t scored_;
  std::map<std::string_view, std::string> reasons_;  ///< By name of the status.
  std::size_t rank_ = 0;
  std::size_t percentile_ = 0;
  std::size_t status_ = 0;
};

/// The floors.
class MinimumPass : public SelectionPass {
 public:
  explicit MinimumPass(const ScoreRule& rule) : rule_(rule) {
    for (std::size_t c = 0; c < rule.columns(); ++c)
      reasons_.push_back((rule.names()[c] == kOutOfDistributionColumn ? "" : "below_minimum: ") +
                         rule.names()[c]);
    reasons_.push_back(std::string("below_minimum: ") + kCombinedColumn);
  }
  std::string_view apply(const Place& place, ManifestRow& /*row*/) override {
    if (!place.scored) return {};
    const auto column = rule_.first_below_minimum(place.scores);
    return column ? std::string_view(reasons_[*column]) : std::string_view();
  }

 private:
  const ScoreRule& rule_;
  std::vector<std::string> reasons_;  ///< By column, the combined score last.
};

/// A threshold on the score that rows are ranked by.
class ThresholdPass : public SelectionPass {
 public:
  ThresholdPass(const ScoreRule& rule, float threshold) : rule_(rule), threshold_(threshold) {}
  std::string_view apply(const Place& place, ManifestRow& /*row*/) override {
    if (!place.scored || rule_.ranking_score(place.scores) >= threshold_) return {};
    return "below_threshold";
  }

 private:
  const ScoreRule& rule_;
  float threshold_;
};

/// The best so many of the rows that meet the floors.
class LimitPass : public SelectionPass {
 public:
  LimitPass(std::uint64_t limit, std::string_view dropped) : limit_(limit), dropped_(dropped) {}
  std::string_view apply(const Place& place, ManifestRow& /*row*/) override {
    return place.scored && place.eligible_before >= limit_ ? dropped_ : std::string_view();
  }

 private:
  std::uint64_t limit_;
  std::string_view dropped_;
};

using Passes = std::vector<std::unique_ptr<SelectionPass>>;

Passes passes_of(const CurationConfig& config, const ScoreRule& rule, std::uint64_t scored) {
  Passes passes;
  passes.push_back(std::make_unique<RankPass>(scored));
  passes.push_back(std::make_unique<MinimumPass>(rule));
  if (config.threshold) {
    // As float32, so that a score that reads like the threshold in the manifest meets it.
    passes.push_back(std::make_unique<ThresholdPass>(rule, static_cast<float>(*config.threshold)));
  } else if (config.top_k) {
    passes.push_back(std::make_unique<LimitPass>(*config.top_k, "beyond_top_k"));
  } else if (config.top_fraction) {
    const auto limit = std::llround(*config.top_fraction * static_cast<double>(scored));
    passes.push_back(std::make_unique<LimitPass>(static_cast<std::uint64_t>(limit), "beyond_top_fraction"));
  }
  return passes;
}

const char* kept_reason(const CurationConfig& config) {
  return config.threshold      ? "threshold"
         : config.top_k        ? "top_k"
         : config.top_fraction ? "top_fraction"
                               : "all";
}

std::vector<Column> columns_of(const Passes& passes) {
  std::vector<Column> added;
  for (const auto& pass : passes) {
    for (auto& column : pass->columns()) added.push_back(std::move(column));
  }
  return added;
}

}  // namespace

Selection::Selection(const CurationConfig& config, const ScoreRule& rule, std::uint64_t scored)
    : Selection(passes_of(config, rule, scored), kept_reason(config), rule.names()) {}

Selection::Selection(Passes passes, std::string kept, std::span<const std::string> scores)
    : passes_(std::move(passes)),
      kept_(std::move(kept)),
      columns_(scores, columns_of(passes_)),
      keep_(columns_.index_of("keep")),
      reason_(columns_.index_of("reason")) {
  for (const auto& pass : passes_) pass->begin(columns_);
}

bool Selection::decide(const Place& place, ManifestRow& row) {
  std::string_view dropped;
  for (const auto& pass : passes_) {
    const auto reason = pass->apply(place, row);
    if (dropped.empty()) dropped = reason;
  }
  row[keep_] = dropped.empty();
  row[reason_] = dropped.empty() ? std::string_view(kept_) : dropped;
  return dropped.empty();
}

}  // namespace quasar::curation
