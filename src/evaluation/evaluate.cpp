#include "evaluation/evaluate.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/errors.h"
#include "evaluation/correlation.h"

namespace quasar::evaluation {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Of all three correlations.
constexpr std::uint64_t kFewestOfIntervals = 5;

bool is_deviation(double value) {
  return std::isfinite(value) && value >= 0;
}

/// Why a correlation has no value.
std::string why_undefined(std::span<const double> scores) {
  if (scores.size() < 2) return "a correlation needs two rows at least, and there is one";
  return moments_of(scores).variance == 0 ? "all scores are equal" : "all labels are equal";
}

double outlier_ratio_of(const LogisticFit& fit, std::span<const double> labels,
                        std::span<const double> deviations, std::string& why) {
  if (deviations.empty()) {
    why = "the deviations of the ratings are not known";
  } else if (!fit.undefined.empty()) {
    why = "there is no logistic fit: " + fit.undefined;
  } else {
    std::uint64_t outside = 0;
    std::uint64_t known = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (!is_deviation(deviations[i])) continue;
      ++known;
      outside += std::abs(fit.fitted[i] - labels[i]) > 2 * deviations[i] ? 1 : 0;
    }
    if (known > 0) return static_cast<double>(outside) / static_cast<double>(known);
    why = "no rating has a deviation";
  }
  return kNone;
}

/// The rows of `values` that `rows` names.
std::vector<double> picked(const std::vector<double>& values, const std::vector<std::size_t>& rows) {
  std::vector<double> result;
  if (values.empty()) return result;
  result.reserve(rows.size());
  for (const std::size_t row : rows) result.push_back(values[row]);
  return result;
}

/// What the row lacks first, as it is counted; empty for a row that has all.
std::string lack_of(const RatedPictures& pictures, std::size_t row) {
  if (!std::isfinite(pictures.labels[row])) return "label missing or not finite";
  for (std::size_t s = 0; s < pictures.scorers.size(); ++s) {
    if (!std::isfinite(pictures.scores[s][row])) return "score missing or not finite: " + pictures.scorers[s];
  }
  return "";
}

std::vector<double> residuals_of(const LogisticFit& fit, std::span<const double> labels) {
  auto residuals = fit.fitted;
  for (std::size_t i = 0; i < residuals.size(); ++i) residuals[i] -= labels[i];
  return residuals;
}

/// Mean over groups of a measure that is defined.
double group_mean(const std::map<std::string, Measures>& groups, double Measures::*measure) {
  double sum = 0;
  double count = 0;
  for (const auto& [name, measures] : groups) {
    if (std::isnan(measures.*measure)) continue;
    sum += measures.*measure;
    ++count;
  }
  return count > 0 ? sum / count : kNone;
}

/// Notes what is too small to say anything.
void note_few(std::size_t rows, const std::map<std::string, std::vector<std::size_t>>& groups,
              Evaluation& evaluation) {
  if (rows < kFewestRated) {
    evaluation.remarks.push_back("There are fewer than three rated pictures (" + std::to_string(rows) +
                                 "): a correlation of so few says nothing.");
  }
  for (const auto& [name, members] : groups) {
    if (members.size() < kFewestRated) ++evaluation.noted["groups of fewer than three rated pictures"];
  }
}

/// Standard errors of the ratings of `rows`; empty, with the reason in `why`, where one has none.
std::vector<double> errors_of(const RatedPictures& pictures, const std::vector<std::size_t>& rows,
                              std::string& why) {
  if (pictures.deviations.empty() || pictures.observers.empty()) {
    why = "the deviations of the ratings, or the number of people behind them, are not known";
    return {};
  }
  std::vector<double> errors;
  std::size_t unknown = 0;
  for (const std::size_t row : rows) {
    const bool known = is_deviation(pictures.deviations[row]) && std::isfinite(pictures.observers[row]) &&
                       pictures.observers[row] > 0;
    unknown += known ? 0 : 1;
    errors.push_back(known ? pictures.deviations[row] / std::sqrt(pictures.observers[row]) : kNone);
  }
  if (unknown == 0) return errors;
  why = std::to_string(unknown) + " of " + std::to_string(rows.size()) +
        " ratings have no deviation from 0 on, or no number of people above 0";
  return {};
}

/// Why no test of two correlations has a value.
std::string why_untested(double first, double second, double between, std::size_t n) {
  if (n < 4) return "a test needs four rows at least, and has " + std::to_string(n);
  if (std::isnan(first) || std::isnan(second)) return "one of the two has no correlation with the labels";
  if (between == 1) return "the two scorers agree in full";
  return "a correlation is 1 or -1, or the formula has no value for these";
}

/// Names what of a comparison has no value.
void name_undefined(const ScorerEvaluation& first, const ScorerEvaluation& second,
                    const std::string& why_no_errors, ScorerComparison& comparison) {
  const auto n = first.all.n;
  auto& undefined = comparison.undefined;
  if (!comparison.srcc_williams || !comparison.srcc_meng || !comparison.srcc_steiger)
    undefined["srcc"] = why_untested(first.all.srcc, second.all.srcc, comparison.srcc_between, n);
  if (!comparison.plcc_williams || !comparison.plcc_meng || !comparison.plcc_steiger)
    undefined["plcc"] = why_untested(first.all.plcc, second.all.plcc, comparison.plcc_between, n);
  if (!comparison.residuals) {
    undefined["residuals_f"] = first.all.logistic4.undefined.empty() && second.all.logistic4.undefined.empty()
                                   ? "a fit leaves no residuals"
                                   : "there is no logistic fit of one of the two";
  }
  if (!comparison.pairs) {
    undefined["pairs"] = why_no_errors;
  } else {
    const auto& pairs = *comparison.pairs;
    const bool empty_class = pairs.first.different == 0 || pairs.first.similar == 0;
    if (!pairs.different) {
      undefined["delong_different"] = empty_class
                                          ? "there are no pairs that people see as different, or no others"
                                          : "the two areas do not differ in a way that has a variance";
    }
    if (!pairs.better) {
      undefined["delong_better"] = pairs.first.different < 2
                                       ? "there are too few pairs that people see as different"
                                       : "the two areas do not differ in a way that has a variance";
    }
  }
}

ScorerComparison compare(const ScorerEvaluation& first, const std::vector<double>& scores1,
                         const ScorerEvaluation& second, const std::vector<double>& scores2,
                         const std::vector<double>& labels, const std::vector<double>& errors,
                         const std::string& why_no_errors) {
  ScorerComparison comparison;
  comparison.first = first.name;
  comparison.second = second.name;
  const auto n = labels.size();
  const double srcc = comparison.srcc_between = spearman(scores1, scores2);
  const double plcc = comparison.plcc_between = pearson(scores1, scores2);
  comparison.srcc_williams = williams(first.all.srcc, second.all.srcc, srcc, n);
  comparison.srcc_meng = meng(first.all.srcc, second.all.srcc, srcc, n);
  comparison.srcc_steiger = steiger(first.all.srcc, second.all.srcc, srcc, n);
  comparison.plcc_williams = williams(first.all.plcc, second.all.plcc, plcc, n);
  comparison.plcc_meng = meng(first.all.plcc, second.all.plcc, plcc, n);
  comparison.plcc_steiger = steiger(first.all.plcc, second.all.plcc, plcc, n);
  if (first.all.logistic4.undefined.empty() && second.all.logistic4.undefined.empty()) {
    comparison.residuals = residual_f_test(residuals_of(first.all.logistic4, labels),
                                           residuals_of(second.all.logistic4, labels));
  }
  const bool too_many = n > kMostPairedRows;
  if (!errors.empty() && !too_many) comparison.pairs = compare_pairs(scores1, scores2, labels, errors);
  name_undefined(first, second,
                 !errors.empty() && too_many
                     ? "pairs are compared of " + std::to_string(kMostPairedRows) + " rows at most"
                     : why_no_errors,
                 comparison);
  return comparison;
}

}  // namespace

Measures measure(std::span<const double> scores, std::span<const double> labels,
                 std::span<const double> deviations, const EvaluationOptions& options) {
  Measures measures;
  measures.n = scores.size();
  measures.srcc = spearman(scores, labels);
  measures.krcc = kendall(scores, labels);
  measures.plcc = pearson(scores, labels);
  double squares = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    squares += (scores[i] - labels[i]) * (scores[i] - labels[i]);
  measures.rmse = std::sqrt(squares / static_cast<double>(scores.size()));
  if (!std::isfinite(measures.rmse)) measures.undefined["rmse"] = "the squares are beyond any number";
  measures.logistic4 = fit_logistic(LogisticKind::kFour, scores, labels);
  measures.logistic5 = fit_logistic(LogisticKind::kFive, scores, labels);
  measures.srcc_interval = bonett_wright_interval(measures.srcc, measures.n);
  measures.krcc_interval = fieller_kendall_interval(measures.krcc, measures.n);
  measures.plcc_interval = fisher_interval(measures.plcc, measures.n);
  if (measures.n < kFewestOfIntervals) {
    measures.undefined["intervals95"] =
        "an interval by formula needs four rows, that of krcc five, and there are fewer";
  }
  if (options.resamples || measures.n <= kMostResampledRows) {
    measures.resampled = bootstrap(scores, labels, options.resamples.value_or(kResamples), options.seed);
    if (!measures.resampled) {
      measures.undefined["bootstrap"] =
          options.resamples == 0 ? "no resamples were asked for" : "no two resamples have a correlation";
    }
  } else {
    measures.undefined["bootstrap"] = "more rows than are resampled unasked; give the number of resamples";
  }
  std::string why;
  measures.outlier_ratio = outlier_ratio_of(measures.logistic4, labels, deviations, why);
  if (!why.empty()) measures.undefined["outlier_ratio"] = why;
  for (const auto& [name, value] :
       {std::pair("srcc", measures.srcc), {"krcc", measures.krcc}, {"plcc", measures.plcc}}) {
    if (std::isnan(value)) measures.undefined[name] = why_undefined(scores);
  }
  for (const auto& [name, fit] :
       {std::pair("logistic4", &measures.logistic4), {"logistic5", &measures.logistic5}}) {
    if (!fit->undefined.empty()) {
      measures.undefined[std::string("plcc_") + name] = fit->undefined;
      measures.undefined[std::string("rmse_") + name] = fit->undefined;
    } else if (std::isnan(fit->plcc)) {
      measures.undefined[std::string("plcc_") + name] = "the fitted function is constant";
    }
  }
  return measures;
}

Evaluation evaluate(const RatedPictures& pictures, const EvaluationOptions& options) {
  Evaluation evaluation;
  evaluation.rows = pictures.labels.size();
  evaluation.left_out = pictures.left_out;
  evaluation.noted = pictures.noted;
  evaluation.remarks = pictures.remarks;
  for (const auto& [why, count] : pictures.left_out) evaluation.rows += count;
  auto& rows = evaluation.evaluated;
  for (std::size_t row = 0; row < pictures.labels.size(); ++row) {
    if (const auto lack = lack_of(pictures, row); lack.empty()) {
      rows.push_back(row);
    } else {
      ++evaluation.left_out[lack];
    }
  }
  if (rows.empty()) {
    std::string reasons;
    for (const auto& [why, count] : evaluation.left_out)
      reasons += (reasons.empty() ? "" : ", ") + std::to_string(count) + " " + why;
    base::fail(base::ExitCode::kNoResult, "no row has a score and a label (of " +
                                              std::to_string(evaluation.rows) +
                                              (reasons.empty() ? "" : ": " + reasons) + ")");
  }
  std::map<std::string, std::vector<std::size_t>> groups;
  if (!pictures.groups.empty()) {
    for (const std::size_t row : rows) groups[pictures.groups[row]].push_back(row);
  }
  note_few(rows.size(), groups, evaluation);
  const auto labels = picked(pictures.labels, rows);
  const auto deviations = picked(pictures.deviations, rows);
  for (const double deviation : deviations)
    if (deviation < 0) ++evaluation.noted["deviations below 0, which are not used"];
  std::string why_no_errors;
  const auto errors = errors_of(pictures, rows, why_no_errors);
  EvaluationOptions of_groups = options;
  of_groups.resamples = 0;
  std::vector<std::vector<double>> scores;
  for (std::size_t s = 0; s < pictures.scorers.size(); ++s) {
    scores.push_back(picked(pictures.scores[s], rows));
    auto& scorer = evaluation.scorers.emplace_back();
    scorer.name = pictures.scorers[s];
    scorer.all = measure(scores.back(), labels, deviations, options);
    for (const auto& [name, members] : groups) {
      scorer.groups[name] = measure(picked(pictures.scores[s], members), picked(pictures.labels, members),
                                    picked(pictures.deviations, members), of_groups);
      scorer.groups_used += std::isnan(scorer.groups[name].srcc) ? 0 : 1;
    }
    scorer.group_srcc = group_mean(scorer.groups, &Measures::srcc);
    scorer.group_krcc = group_mean(scorer.groups, &Measures::krcc);
    scorer.group_plcc = group_mean(scorer.groups, &Measures::plcc);
  }
  for (std::size_t a = 0; a < scores.size(); ++a) {
    for (std::size_t b = a + 1; b < scores.size(); ++b) {
      evaluation.comparisons.push_back(compare(evaluation.scorers[a], scores[a], evaluation.scorers[b],
                                               scores[b], labels, errors, why_no_errors));
    }
  }
  return evaluation;
}

}  // namespace quasar::evaluation
