#include "evaluation/intervals.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/errors.h"
#include "base/random.h"

namespace quasar::evaluation {
namespace {

/// Of the standard normal distribution, 97.5%.
constexpr double kQuantile = 1.959963984540054;

std::optional<Interval> by_atanh(double r, double variance) {
  if (std::isnan(r) || !(variance > 0) || !std::isfinite(variance)) return std::nullopt;
  const double half = kQuantile * std::sqrt(variance);
  return Interval{std::tanh(std::atanh(r) - half), std::tanh(std::atanh(r) + half)};
}

/// Values sorted once, with which a resample's average ranks are had in one pass.
class SortedValues {
 public:
  explicit SortedValues(std::span<const double> values) : values_(values), order_(values.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  }

  /// ranks[i]: average rank of row i among the rows that were drawn counts[i] times.
  void ranks_of(std::span<const std::uint32_t> counts, std::span<double> ranks) const {
    double below = 0;
    for (std::size_t begin = 0; begin < order_.size();) {
      std::size_t end = begin;
      double tied = 0;
      for (; end < order_.size() && values_[order_[end]] == values_[order_[begin]]; ++end)
        tied += counts[order_[end]];
      for (; begin < end; ++begin) ranks[order_[begin]] = below + (tied + 1) / 2;
      below += tied;
    }
  }

 private:
  std::span<const double> values_;
  std::vector<std::size_t> order_;
};

/// Pearson's correlation of rows that count several times.
double weighted_pearson(std::span<const double> a, std::span<const double> b,
                        std::span<const std::uint32_t> counts) {
  const auto n = static_cast<double>(a.size());
  double sum_a = 0;
  double sum_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum_a += counts[i] * (a[i] - a[0]);
    sum_b += counts[i] * (b[i] - b[0]);
  }
  double aa = 0;
  double bb = 0;
  double ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - a[0] - sum_a / n;
    const double y = b[i] - b[0] - sum_b / n;
    aa += counts[i] * x * x;
    bb += counts[i] * y * y;
    ab += counts[i] * x * y;
  }
  return aa > 0 && bb > 0 ? std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0) : std::nan("");
}

/// As numpy.percentile: linear between the neighbours.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval interval_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.025), percentile(values, 0.975)};
}

double deviation_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1));
}

}  // namespace

std::optional<Interval> fisher_interval(double r, std::uint64_t n) {
  return n < 4 ? std::nullopt : by_atanh(r, 1.0 / (static_cast<double>(n) - 3));
}

std::optional<Interval> bonett_wright_interval(double r, std::uint64_t n) {
  return n < 4 ? std::nullopt : by_atanh(r, (1.0 + r * r / 2) / (static_cast<double>(n) - 3));
}

std::optional<Interval> fieller_kendall_interval(double tau, std::uint64_t n) {
  return n < 5 ? std::nullopt : by_atanh(tau, 0.437 / (static_cast<double>(n) - 4));
}

std::optional<Bootstrap> bootstrap(std::span<const double> x, std::span<const double> y,
                                   std::uint64_t resamples, std::uint64_t seed) {
  QUASAR_CHECK(x.size() == y.size());
  if (x.size() < 2) return std::nullopt;
  const SortedValues sorted_x(x);
  const SortedValues sorted_y(y);
  std::vector<std::uint32_t> counts(x.size());
  std::vector<double> ranks_x(x.size());
  std::vector<double> ranks_y(x.size());
  std::vector<double> srcc;
  std::vector<double> plcc;
  for (std::uint64_t resample = 0; resample < resamples; ++resample) {
    base::Random random(base::derive_seed(seed, resample));
    std::fill(counts.begin(), counts.end(), 0U);
    for (std::size_t i = 0; i < x.size(); ++i) ++counts[random.below(x.size())];
    sorted_x.ranks_of(counts, ranks_x);
    sorted_y.ranks_of(counts, ranks_y);
    // Of ranks, whose sums are exact, it has no value where all that was drawn is equal. Of the values
    // themselves rounding may leave a difference then, and it would be noise.
    const double by_rank = weighted_pearson(ranks_x, ranks_y, counts);
    const double linear = weighted_pearson(x, y, counts);
    if (std::isnan(by_rank) || std::isnan(linear)) continue;
    plcc.push_back(linear);
    srcc.push_back(by_rank);
  }
  if (srcc.size() < 2) return std::nullopt;
  return Bootstrap{srcc.size(), interval_of(srcc), interval_of(plcc), deviation_of(srcc), deviation_of(plcc)};
}

}  // namespace quasar::evaluation
