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

/// What filters found when the row was read.
class FilterPass : public SelectionPass {
 public:
  explicit FilterPass(const std::vector<FilterRule>& filters) {
    for (const auto& filter : filters) {
      for (const bool missing : {false, true}) reasons_.push_back(filter_reason(filter, missing));
    }
  }
  std::vector<Column> columns() const override {
    return {{.name = kFilterColumn, .type = CellType::kCount, .packed = true, .internal = true}};
  }
  void begin(const Columns& columns) override { filter_ = columns.index_of(kFilterColumn); }
  std::string_view apply(const Place& /*place*/, ManifestRow& row) override {
    const auto* found = std::get_if<std::uint64_t>(&row[filter_]);
    return found == nullptr ? std::string_view() : reasons_.at(static_cast<std::size_t>(*found - 1));
  }

 private:
  std::vector<std::string> reasons_;  ///< By filter, each without and with a missing value.
  std::size_t filter_ = 0;
};

/// What is a copy of a better row.
class DuplicatePass : public SelectionPass {
 public:
  explicit DuplicatePass(const DuplicateRule& rule) : pictures_(rule.perceptual) {
    for (std::size_t set = 0; set < rule.against.size(); ++set) {
      against_.push_back("against: " + rule.set_name(set));
      // Its distance is of another kind.
      against_by_cosine_.push_back(against_.back() + " (cosine)");
    }
  }
  std::vector<Column> columns() const override {
    std::vector<Column> columns = {
        {"duplicate_of", CellType::kText}, {"distance", CellType::kCount}, {"group_size", CellType::kCount}};
    if (pictures_) {
      columns.push_back({.name = kPictureColumn, .packed = true, .internal = true});
      columns.push_back({.name = kQualityColumn, .type = CellType::kCount, .packed = true, .internal = true});
    }
    return columns;
  }
  void begin(const Columns& columns) override { first_ = columns.index_of("duplicate_of"); }
  std::string_view apply(const Place& place, ManifestRow& row) override {
    row[first_] = std::string_view();
    if (place.fate == nullptr) return {};
    const auto& fate = *place.fate;
    if (fate.group > 0) row[first_ + 2] = fate.group;
    if (fate.likeness == Likeness::kNone) return {};
    row[first_] = fate.of;
    row[first_ + 1] = std::uint64_t{fate.distance};
    if (fate.outside)
      return (fate.likeness == Likeness::kCosine ? against_by_cosine_ : against_).at(fate.set);
    switch (fate.likeness) {
      case Likeness::kExact:
        return "duplicate: exact";
      case Likeness::kPerceptual:
        return "duplicate: perceptual";
      default:
        return "duplicate: cosine";
    }
  }

 private:
  bool pictures_;
  std::vector<std::string> against_;
  std::vector<std::string> against_by_cosine_;
  std::size_t first_ = 0;
};

/// What a balanced sample leaves out.
class BalancePass : public SelectionPass {
 public:
  explicit BalancePass(const BalanceRule& rule) : levels_(rule.clusters.levels.size()) {}
  std::vector<Column> columns() const override {
    std::vector<Column> columns;
    for (std::size_t level = 1; level <= levels_; ++level)
      columns.push_back({cluster_column(level), CellType::kCount});
    return columns;
  }
  void begin(const Columns& columns) override { first_ = columns.index_of(cluster_column(1)); }
  std::string_view apply(const Place& place, ManifestRow& row) override {
    if (place.balanced == nullptr) return {};
    for (std::size_t level = 0; level < levels_; ++level)
      row[first_ + level] = static_cast<std::uint64_t>(place.balanced->clusters[level]);
    return place.balanced->kept ? std::string_view() : "balance";
  }

 private:
  std::size_t levels_;
  std::size_t first_ = 0;
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

/// The best so many of the rows that are left.
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
  if (!config.filters.empty()) passes.push_back(std::make_unique<FilterPass>(config.filters));
  if (config.duplicates.any()) passes.push_back(std::make_unique<DuplicatePass>(config.duplicates));
  if (config.balance.any()) passes.push_back(std::make_unique<BalancePass>(config.balance));
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
