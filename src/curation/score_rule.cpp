#include "curation/score_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/errors.h"
#include "curation/column_name.h"

namespace quasar::curation {
namespace {

void check_names(const std::vector<std::string>& columns) {
  if (columns.empty()) base::fail(base::ExitCode::kConfig, "there is no anchor set, so nothing to rank by");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string& name = columns[i];
    if (const auto fault = fault_of_name(name); !fault.empty()) base::fail(base::ExitCode::kConfig, fault);
    if (std::find(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i), name) !=
        columns.begin() + static_cast<std::ptrdiff_t>(i)) {
      base::fail(base::ExitCode::kConfig, "two anchor sets are named '" + name + "'");
    }
  }
}

}  // namespace

ScoreRule::ScoreRule(std::vector<std::string> columns, const CurationConfig& config)
    : names_(std::move(columns)),
      columns_(names_.size()),
      sets_(columns_ - std::min(columns_, config.measures.size())),
      weights_(columns_, 0.0),
      rank_by_(columns_) {
  check_names({names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(sets_)});
  std::fill_n(weights_.begin(), sets_, 1.0);
  if (!config.weights.empty()) {
    weights_.assign(columns_, 0.0);
    for (const auto& [name, weight] : config.weights) {
      const std::size_t column = find(name, "weights");
      if (column == columns_) {
        base::fail(base::ExitCode::kConfig,
                   "curation.weights: the combined score cannot have a weight itself");
      }
      weights_[column] = weight;
    }
  }
  for (const double weight : weights_) weight_sum_ += weight;
  if (!(weight_sum_ > 0)) base::fail(base::ExitCode::kConfig, "curation.weights: the weights sum to 0");
  rank_by_ = find(config.rank_by, "rank_by");
  minimum_.resize(columns_ + 1);
  for (const auto& [name, floor] : config.minimum) {
    minimum_[find(name, "minimum")] = Floor{static_cast<float>(floor)};
  }
  for (const auto& [name, errors] : config.minimum_errors) {
    auto& floor = minimum_[find(name, "minimum")];
    QUASAR_CHECK(floor);
    floor->errors = errors;
    floor->error = measure(error_column(name), "minimum." + name + ".errors", "recipe.uncertainty");
  }
  if (config.drop_out_of_distribution)
    dropped_flag_ = measure(kOutOfDistributionColumn, kOutOfDistributionColumn, "recipe.out_of_distribution");
  if (sets_ > 1) names_.emplace_back(kCombinedColumn);
}

std::size_t ScoreRule::measure(const std::string& name, const std::string& key, const char* needs) const {
  const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(sets_);
  const auto found = std::find(begin, names_.end(), name);
  if (found == names_.end())
    base::fail(base::ExitCode::kConfig, "curation." + key + ": there is no column " + name +
                                            "; an anchor set has it when it is built with " + needs);
  return static_cast<std::size_t>(found - names_.begin());
}

std::size_t ScoreRule::find(const std::string& name, const char* key) const {
  const auto end = names_.begin() + static_cast<std::ptrdiff_t>(sets_);
  const auto found = std::find(names_.begin(), end, name);
  if (found == end && name != kCombinedColumn) {
    const std::vector<std::string> sets(names_.begin(), end);
    base::fail(base::ExitCode::kConfig, std::string("curation.") + key + ": " + unknown_column(name, sets));
  }
  return found == end ? columns_ : static_cast<std::size_t>(found - names_.begin());
}

bool ScoreRule::is_scored(std::span<const float> scores) {
  return std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); });
}

float ScoreRule::combined(std::span<const float> scores) const {
  if (sets_ == 1) return scores[0];
  double sum = 0;
  for (std::size_t c = 0; c < sets_; ++c) sum += weights_[c] * static_cast<double>(scores[c]);
  return static_cast<float>(sum / weight_sum_);
}

float ScoreRule::ranking_score(std::span<const float> scores) const {
  return rank_by_ == columns_ ? combined(scores) : scores[rank_by_];
}

std::optional<std::size_t> ScoreRule::first_below_minimum(std::span<const float> scores) const {
  for (std::size_t c = 0; c <= columns_; ++c) {
    const auto& floor = minimum_[c];
    if (!floor) continue;
    const float score = c == columns_ ? combined(scores) : scores[c];
    if (floor->error == SIZE_MAX
            ? score < floor->score
            : static_cast<double>(score) - floor->errors * static_cast<double>(scores[floor->error]) <
                  static_cast<double>(floor->score))
      return c;
  }
  if (dropped_flag_ != SIZE_MAX && scores[dropped_flag_] != 0) return dropped_flag_;
  return std::nullopt;
}

}  // namespace quasar::curation
