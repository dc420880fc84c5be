// Owns how scores are read: the combined score of a row, the one that it is ranked by, and floors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "curation/curation_config.h"

namespace quasar::curation {

/// Reads scores as the configuration asks. Columns are numbered 0..n-1 as given; n is the combined score.
class ScoreRule {
 public:
  /// Throws Error(kConfig) when there is no column, two have one name, a name cannot be one (column_name.h),
  /// or the configuration names a column that is not there.
  ScoreRule(std::vector<std::string> columns, const CurationConfig& config);

  /// The names given, and the combined score's when it is a column of its own (more than one anchor set).
  /// Measures of the configuration are the last of those given.
  const std::vector<std::string>& names() const { return names_; }
  std::size_t columns() const { return columns_; }
  bool has_combined() const { return names_.size() > columns_; }

  /// The column of a manifest that rows are ranked by: the combination of a single score is that score.
  const std::string& ranked_by() const { return names_[has_combined() ? rank_by_ : 0]; }

  /// Whether every score is finite.
  static bool is_scored(std::span<const float> scores);
  /// Weighted mean of the scores of a row, one per column, in double, rounded once.
  float combined(std::span<const float> scores) const;
  /// The score the row is ranked by.
  float ranking_score(std::span<const float> scores) const;
  /// Number of the first column below its floor, or of the flag for which the row is dropped.
  std::optional<std::size_t> first_below_minimum(std::span<const float> scores) const;

 private:
  std::size_t measure(const std::string& name, const std::string& key, const char* needs) const;
  std::size_t find(const std::string& name, const char* key) const;

  std::vector<std::string> names_;
  std::size_t columns_;
  std::size_t sets_;  ///< The first of them; measures follow.
  std::vector<double> weights_;
  double weight_sum_ = 0;
  std::size_t rank_by_;
  struct Floor {
    float score = 0;
    std::size_t error = SIZE_MAX;  ///< Column of the standard errors that are taken off before.
    double errors = 0;
  };
  std::vector<std::optional<Floor>> minimum_;  ///< By column, the combined score last.
  std::size_t dropped_flag_ = SIZE_MAX;        ///< Column whose rows that have it are dropped.
};

}  // namespace quasar::curation
