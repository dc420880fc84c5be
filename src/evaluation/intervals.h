// Owns 95% intervals of correlations: by formula, and by drawing rows again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace quasar::evaluation {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Fisher's interval of Pearson's r: tanh(atanh r +- z / sqrt(n - 3)). Nothing for n < 4 or r undefined; for
/// |r| = 1 the interval is that value.
std::optional<Interval> fisher_interval(double r, std::uint64_t n);
/// Bonett and Wright's (2000) of Spearman's: the variance is (1 + r^2 / 2) / (n - 3).
std::optional<Interval> bonett_wright_interval(double r, std::uint64_t n);
/// Fieller, Hartley and Pearson's (1957) of Kendall's: the variance is 0.437 / (n - 4). Nothing for n < 5.
std::optional<Interval> fieller_kendall_interval(double tau, std::uint64_t n);

/// Percentile intervals and standard errors by resampling.
struct Bootstrap {
  std::uint64_t resamples = 0;  ///< That were used: those in which every measure was defined.
  Interval srcc, plcc;
  double srcc_error = 0;  ///< Standard deviation over the resamples.
  double plcc_error = 0;
};

/// Draws n rows with replacement `resamples` times. Rows are sorted once: a resample costs O(n). Nothing
/// where fewer than two resamples have both measures. The same seed gives the same result everywhere.
std::optional<Bootstrap> bootstrap(std::span<const double> x, std::span<const double> y,
                                   std::uint64_t resamples, std::uint64_t seed);

}  // namespace quasar::evaluation
