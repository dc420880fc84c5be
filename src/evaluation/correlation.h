// Owns the correlation measures of the field.
#pragma once

#include <span>
#include <vector>

namespace quasar::evaluation {

/// Ranks 1..n, ties sharing their average rank. Throws Error(kInput) when a value is not finite.
std::vector<double> average_ranks(std::span<const double> values);

struct Moments {
  double mean = 0;
  double variance = 0;  ///< Of the population: divided by n.
};
/// Of at least one value. Differences are taken before sums, so that an offset far above them costs nothing.
Moments moments_of(std::span<const double> values);

/// Pearson's linear correlation (PLCC). NaN when either side is constant or there are fewer than two values.
/// Throws Error(kMismatch) for sides of different length.
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's rank correlation (SRCC) with average ranks for ties: Pearson of the ranks.
double spearman(std::span<const double> a, std::span<const double> b);

/// Kendall's tau-b (KRCC), ties corrected for; O(n log n) (Knight 1966).
double kendall(std::span<const double> a, std::span<const double> b);

}  // namespace quasar::evaluation
