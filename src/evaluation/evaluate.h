// Owns the evaluation of scorers against ratings of the same pictures: every measure with why it may be
// undefined, by group, and scorers against each other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/intervals.h"
#include "evaluation/logistic_fit.h"
#include "evaluation/significance.h"

namespace quasar::evaluation {

/// Rated pictures as they come. NaN where a number is missing or none.
struct RatedPictures {
  std::vector<std::string> scorers;
  std::vector<std::vector<double>> scores;        ///< By scorer, [n].
  std::vector<double> labels;                     ///< [n]
  std::vector<std::string> groups;                ///< [n], or empty: no groups.
  std::vector<double> deviations;                 ///< [n] of each rating, or empty: not known.
  std::vector<double> observers;                  ///< [n] people behind each rating, or empty: not known.
  std::map<std::string, std::uint64_t> left_out;  ///< Rows that are not among these, by why.
  std::map<std::string, std::uint64_t> noted;     ///< What else is to be known of them, by what.
  std::vector<std::string> remarks;               ///< What the ratings are, in sentences.
};

struct EvaluationOptions {
  /// Resamples for bootstrap intervals; none where not given and there are more rows than kMostResampledRows.
  std::optional<std::uint64_t> resamples;
  std::uint64_t seed = 1;
};
inline constexpr std::uint64_t kMostResampledRows = 100'000;
inline constexpr std::uint64_t kResamples = 1000;
/// Correlations of fewer are given as they come out, and are said to mean nothing.
inline constexpr std::size_t kFewestRated = 3;

/// How one scorer agrees with the ratings. NaN where undefined.
struct Measures {
  std::uint64_t n = 0;
  double srcc = 0;  ///< With their signs, as are krcc and plcc.
  double krcc = 0;
  double plcc = 0;
  double rmse = 0;  ///< sqrt(mean((score - label)^2)): of use where both have one scale.
  LogisticFit logistic4, logistic5;
  std::optional<Interval> srcc_interval, krcc_interval, plcc_interval;  ///< 95%, by formula.
  std::optional<Bootstrap> resampled;
  double outlier_ratio = 0;  ///< Share of pictures whose residual of logistic4 is beyond two deviations.
  std::map<std::string, std::string> undefined;  ///< By measure: why it has no value.
};

struct ScorerEvaluation {
  std::string name;
  Measures all;
  std::map<std::string, Measures> groups;
  /// Mean over the groups that have a value, and how many; NaN where none has.
  double group_srcc = 0, group_krcc = 0, group_plcc = 0;
  std::uint64_t groups_used = 0;
};

/// Two scorers on the same pictures.
struct ScorerComparison {
  std::string first, second;
  double srcc_between = 0, plcc_between = 0;
  std::optional<TestResult> srcc_williams, srcc_meng, srcc_steiger;
  std::optional<TestResult> plcc_williams, plcc_meng, plcc_steiger;
  std::optional<TestResult> residuals;           ///< F test of the residuals of logistic4.
  std::optional<PairComparison> pairs;           ///< Where deviations and observers are known.
  std::map<std::string, std::string> undefined;  ///< By test, "srcc", "plcc", ...: why it has no value.
};

struct Evaluation {
  std::uint64_t rows = 0;  ///< Before any was left out.
  std::map<std::string, std::uint64_t> left_out;
  std::map<std::string, std::uint64_t> noted;
  std::vector<std::string> remarks;
  std::vector<std::size_t> evaluated;  ///< Which of the pictures' rows, ascending; fits are of these.
  std::vector<ScorerEvaluation> scorers;
  std::vector<ScorerComparison> comparisons;
};

/// One scorer on pictures whose values are all finite. `deviations` may be empty.
Measures measure(std::span<const double> scores, std::span<const double> labels,
                 std::span<const double> deviations, const EvaluationOptions& options);

/// Evaluates on the rows in which every scorer and the label have a finite value, so that scorers are
/// compared on the same pictures; the others are counted by what they lack. Throws Error(kNoResult) when none
/// is left.
Evaluation evaluate(const RatedPictures& pictures, const EvaluationOptions& options);

}  // namespace quasar::evaluation
