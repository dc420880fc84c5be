// Owns the tests of whether one scorer agrees with people better than another on the same pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace quasar::evaluation {

struct TestResult {
  double statistic = 0;
  double p = 1;  ///< Two-sided, but for the F test.
};

/// Tests of r1 = r2, two correlations with the same labels, from n pictures; `between`: correlation of the
/// two scorers. Nothing where the formula has no value: n < 4, |r| = 1.
///
/// Williams (1959), as Steiger (1980) recommends it: t with n - 3 degrees of freedom,
///   t = (r1 - r2) sqrt((n-1)(1+rx) / (2 (n-1)/(n-3) |R| + m^2 (1-rx)^3)),
///   |R| = 1 - r1^2 - r2^2 - rx^2 + 2 r1 r2 rx, m = (r1 + r2) / 2.
std::optional<TestResult> williams(double r1, double r2, double between, std::uint64_t n);
/// Meng, Rosenthal and Rubin (1992): z = (atanh r1 - atanh r2) sqrt((n-3) / (2 (1-rx) h)),
/// h = (1 - f q) / (1 - q), q = (r1^2 + r2^2) / 2, f = min(1, (1-rx) / (2 (1-q))).
std::optional<TestResult> meng(double r1, double r2, double between, std::uint64_t n);
/// Steiger (1980) with the pooled correlation: z = (atanh r1 - atanh r2) sqrt(n-3) / sqrt(2 - 2s),
/// s = [rx (1 - 2 m^2) - m^2 (1 - 2 m^2 - rx^2) / 2] / (1 - m^2)^2.
std::optional<TestResult> steiger(double r1, double r2, double between, std::uint64_t n);

/// Ratio of the larger to the smaller variance of the residuals of two fits (n - 1 in the denominators), and
/// the one-sided p of the F distribution. Nothing for fewer than two rows or a variance of 0.
std::optional<TestResult> residual_f_test(std::span<const double> residuals1,
                                          std::span<const double> residuals2);

/// Krasula et al. (2016): how well differences of a scorer tell pairs of pictures that people see as
/// different from others, and which of the two is the better one.
struct PairAnalysis {
  std::uint64_t different = 0;  ///< Pairs whose ratings differ: Phi(|dMOS| / se) >= 0.95.
  std::uint64_t similar = 0;
  double auc_different =
      0;  ///< Area under the ROC curve: |difference| of different pairs against similar ones.
  double auc_better =
      0;               ///< Area: difference of different pairs, positive where right, against its negative.
  double correct = 0;  ///< Share of different pairs whose difference has the right sign.
};

/// The standard error of each rating is deviation / sqrt(observers); `errors` [n] holds it. Where both of a
/// pair are 0, 1e-6 takes its place.
PairAnalysis analyse_pairs(std::span<const double> scores, std::span<const double> ratings,
                           std::span<const double> errors);

/// Two scorers on the same pairs, with DeLong's test (1988; computed as Sun and Xu 2014) of each area.
struct PairComparison {
  PairAnalysis first, second;
  std::optional<TestResult> different;  ///< z and two-sided p; nothing where a class of pairs is empty.
  std::optional<TestResult> better;
};

/// Takes O(n^2) time and memory: n is 5,000 at most, Error(kUsage) otherwise.
PairComparison compare_pairs(std::span<const double> scores1, std::span<const double> scores2,
                             std::span<const double> ratings, std::span<const double> errors);

inline constexpr std::size_t kMostPairedRows = 5000;

}  // namespace quasar::evaluation
