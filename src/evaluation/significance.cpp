#include "evaluation/significance.h"

#include <algorithm>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "evaluation/correlation.h"

namespace quasar::evaluation {
namespace {

double two_sided_normal(double z) {
  return 2 * boost::math::cdf(boost::math::complement(boost::math::normal(), std::abs(z)));
}

std::optional<TestResult> normal_test(double z) {
  if (!std::isfinite(z)) return std::nullopt;
  return TestResult{z, two_sided_normal(z)};
}

/// Differences of the pairs, in the two classes of a question.
struct Classes {
  std::vector<double> positive;
  std::vector<double> negative;
};

struct PairClasses {
  Classes different;
  Classes better;
  PairAnalysis analysis;
};

/// Placements of each value among the other class (Sun and Xu 2014), by midranks; their mean is the area.
struct Placements {
  std::vector<double> positive;
  std::vector<double> negative;
  double area = 0;
};

Placements placements_of(const Classes& classes) {
  const std::size_t m = classes.positive.size();
  const std::size_t n = classes.negative.size();
  std::vector<double> all = classes.positive;
  all.insert(all.end(), classes.negative.begin(), classes.negative.end());
  const auto ranks = average_ranks(all);
  const auto within_positive = average_ranks(classes.positive);
  const auto within_negative = average_ranks(classes.negative);
  Placements placed;
  for (std::size_t i = 0; i < m; ++i) {
    placed.positive.push_back((ranks[i] - within_positive[i]) / static_cast<double>(n));
    placed.area += placed.positive.back() / static_cast<double>(m);
  }
  for (std::size_t i = 0; i < n; ++i)
    placed.negative.push_back(1 - (ranks[m + i] - within_negative[i]) / static_cast<double>(m));
  return placed;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = moments_of(a).mean;
  const double mean_b = moments_of(b).mean;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / static_cast<double>(a.size() - 1);
}

/// DeLong's test of two areas over the same pairs.
std::optional<TestResult> delong(const Classes& first, const Classes& second) {
  if (first.positive.size() < 2 || first.negative.size() < 2) return std::nullopt;
  const auto a = placements_of(first);
  const auto b = placements_of(second);
  const auto variance = [](const std::vector<double>& x, const std::vector<double>& y) {
    return (covariance(x, x) + covariance(y, y) - 2 * covariance(x, y)) / static_cast<double>(x.size());
  };
  const double error = std::sqrt(variance(a.positive, b.positive) + variance(a.negative, b.negative));
  return normal_test((a.area - b.area) / error);
}

PairClasses classify(std::span<const double> scores, std::span<const double> ratings,
                     std::span<const double> errors) {
  QUASAR_CHECK(scores.size() == ratings.size() && errors.size() == ratings.size());
  constexpr double kNoError = 1e-6;
  constexpr double kSure = 0.95;
  // Phi(z) >= 0.95
  const double least = boost::math::quantile(boost::math::normal(), kSure);
  PairClasses pairs;
  std::uint64_t right = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = i + 1; j < scores.size(); ++j) {
      double error = std::sqrt(errors[i] * errors[i] + errors[j] * errors[j]);
      if (error == 0) error = kNoError;
      const double rated = ratings[i] - ratings[j];
      const double scored = scores[i] - scores[j];
      if (std::abs(rated) / error < least) {
        pairs.different.negative.push_back(std::abs(scored));
        continue;
      }
      pairs.different.positive.push_back(std::abs(scored));
      const double signed_score = rated > 0 ? scored : -scored;
      pairs.better.positive.push_back(signed_score);
      pairs.better.negative.push_back(-signed_score);
      right += signed_score > 0 ? 1 : 0;
    }
  }
  pairs.analysis.different = pairs.different.positive.size();
  pairs.analysis.similar = pairs.different.negative.size();
  const double none = std::nan("");
  pairs.analysis.auc_different = pairs.analysis.different == 0 || pairs.analysis.similar == 0
                                     ? none
                                     : placements_of(pairs.different).area;
  pairs.analysis.auc_better = pairs.analysis.different == 0 ? none : placements_of(pairs.better).area;
  pairs.analysis.correct = pairs.analysis.different == 0
                               ? none
                               : static_cast<double>(right) / static_cast<double>(pairs.analysis.different);
  return pairs;
}

void check_rows(std::size_t rows) {
  if (rows > kMostPairedRows) {
    base::fail(base::ExitCode::kUsage, "the analysis of pairs takes " + std::to_string(kMostPairedRows) +
                                           " rows at most, and there are " + std::to_string(rows));
  }
}

}  // namespace

std::optional<TestResult> williams(double r1, double r2, double between, std::uint64_t rows) {
  if (rows < 4) return std::nullopt;
  const auto n = static_cast<double>(rows);
  const double determinant = 1 - r1 * r1 - r2 * r2 - between * between + 2 * r1 * r2 * between;
  const double mean = (r1 + r2) / 2;
  const double rest = 1 - between;
  const double t =
      (r1 - r2) * std::sqrt((n - 1) * (1 + between) /
                            (2 * (n - 1) / (n - 3) * determinant + mean * mean * rest * rest * rest));
  if (!std::isfinite(t)) return std::nullopt;
  const boost::math::students_t distribution(n - 3);
  return TestResult{t, 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(t)))};
}

std::optional<TestResult> meng(double r1, double r2, double between, std::uint64_t rows) {
  if (rows < 4) return std::nullopt;
  const double q = (r1 * r1 + r2 * r2) / 2;
  const double f = std::min(1.0, (1 - between) / (2 * (1 - q)));
  const double h = (1 - f * q) / (1 - q);
  return normal_test((std::atanh(r1) - std::atanh(r2)) *
                     std::sqrt((static_cast<double>(rows) - 3) / (2 * (1 - between) * h)));
}

std::optional<TestResult> steiger(double r1, double r2, double between, std::uint64_t rows) {
  if (rows < 4) return std::nullopt;
  const double m2 = (r1 + r2) * (r1 + r2) / 4;
  const double s =
      (between * (1 - 2 * m2) - m2 * (1 - 2 * m2 - between * between) / 2) / ((1 - m2) * (1 - m2));
  return normal_test((std::atanh(r1) - std::atanh(r2)) * std::sqrt(static_cast<double>(rows) - 3) /
                     std::sqrt(2 - 2 * s));
}

std::optional<TestResult> residual_f_test(std::span<const double> residuals1,
                                          std::span<const double> residuals2) {
  if (residuals1.size() < 2 || residuals2.size() < 2) return std::nullopt;
  const auto variance = [](std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    return moments_of(values).variance * n / (n - 1);
  };
  const double first = variance(residuals1);
  const double second = variance(residuals2);
  if (!(first > 0) || !(second > 0)) return std::nullopt;
  const bool larger_first = first >= second;
  const double ratio = larger_first ? first / second : second / first;
  const boost::math::fisher_f distribution(
      static_cast<double>((larger_first ? residuals1 : residuals2).size() - 1),
      static_cast<double>((larger_first ? residuals2 : residuals1).size() - 1));
  return TestResult{ratio, boost::math::cdf(boost::math::complement(distribution, ratio))};
}

PairAnalysis analyse_pairs(std::span<const double> scores, std::span<const double> ratings,
                           std::span<const double> errors) {
  check_rows(scores.size());
  return classify(scores, ratings, errors).analysis;
}

PairComparison compare_pairs(std::span<const double> scores1, std::span<const double> scores2,
                             std::span<const double> ratings, std::span<const double> errors) {
  check_rows(scores1.size());
  const auto first = classify(scores1, ratings, errors);
  const auto second = classify(scores2, ratings, errors);
  return {first.analysis, second.analysis, delong(first.different, second.different),
          delong(first.better, second.better)};
}

}  // namespace quasar::evaluation
