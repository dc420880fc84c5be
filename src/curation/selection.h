// Owns the decisions about one row: its combined score, the score it is ranked by, whether it is kept and
// why.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "curation/curation_config.h"

namespace quasar::curation {

/// Reads scores as the configuration asks. Columns are numbered 0..n-1 as given; n is the combined score.
class ScoreRule {
 public:
  /// Throws Error(kConfig) when there is no column, two have one name, a name cannot be one (column_name.h),
  /// or the configuration names a column that is not there.
  ScoreRule(std::vector<std::string> columns, const CurationConfig& config);

  /// The names given, and the combined score's when it is a column of its own (more than one anchor set).
  const std::vector<std::string>& names() const { return names_; }
  std::size_t columns() const { return columns_; }
  bool has_combined() const { return names_.size() > columns_; }

  /// Whether every score is finite.
  static bool is_scored(std::span<const float> scores);
  /// Weighted mean of the scores of a row, one per column, in double, rounded once.
  float combined(std::span<const float> scores) const;
  /// The score the row is ranked by.
  float ranking_score(std::span<const float> scores) const;
  /// Number of the first column below its floor.
  std::optional<std::size_t> first_below_minimum(std::span<const float> scores) const;

 private:
  std::size_t find(const std::string& name, const char* key) const;

  std::vector<std::string> names_;
  std::size_t columns_;
  std::vector<double> weights_;
  double weight_sum_ = 0;
  std::size_t rank_by_;
  std::vector<std::optional<float>> minimum_;  ///< By column, the combined score last.
};

/// What becomes of one row, and why.
struct Decision {
  bool keep = false;
  std::string
      reason;  ///< "top_fraction", "below_threshold", "below_minimum: quality", "status: missing", ...
};

/// Decides on rows in the order of their ranks.
class KeepRule {
 public:
  /// `scored`: rows with a score in the whole run.
  KeepRule(const CurationConfig& config, const ScoreRule& scores, std::uint64_t scored);

  /// A row that has scores. `eligible_before`: rows of better rank that meet every floor.
  Decision decide(std::span<const float> scores, std::uint64_t eligible_before) const;
  /// A row that has none.
  static Decision decide_failed(base::RowStatus status);

 private:
  const ScoreRule& scores_;
  std::optional<float> threshold_;
  std::optional<std::uint64_t> limit_;
  std::string kept_;
  std::string dropped_;
};

}  // namespace quasar::curation
