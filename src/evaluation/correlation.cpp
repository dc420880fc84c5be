#include "evaluation/correlation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

#include "base/errors.h"

namespace quasar::evaluation {
namespace {

void check_lengths(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    base::fail(base::ExitCode::kMismatch, "a correlation needs two sides of equal length, not " +
                                              std::to_string(a.size()) + " and " + std::to_string(b.size()) +
                                              " values");
  }
}

/// Number of pairs among runs of equal values in a sorted order.
template <typename Equal>
std::uint64_t tied_pairs(std::size_t n, const Equal& equal_to_previous) {
  std::uint64_t pairs = 0;
  std::uint64_t run = 0;
  for (std::size_t i = 1; i < n; ++i) {
    run = equal_to_previous(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/// Sorts by merging and counts the pairs that were out of order.
std::uint64_t sort_counting_inversions(std::vector<double>& values, std::vector<double>& scratch,
                                       std::size_t begin, std::size_t end) {
  if (end - begin < 2) return 0;
  const std::size_t middle = begin + (end - begin) / 2;
  std::uint64_t inversions = sort_counting_inversions(values, scratch, begin, middle) +
                             sort_counting_inversions(values, scratch, middle, end);
  std::size_t left = begin;
  std::size_t right = middle;
  for (std::size_t out = begin; out < end; ++out) {
    if (right == end || (left < middle && values[left] <= values[right])) {
      scratch[out] = values[left++];
    } else {
      inversions += middle - left;
      scratch[out] = values[right++];
    }
  }
  std::copy(scratch.begin() + static_cast<std::ptrdiff_t>(begin),
            scratch.begin() + static_cast<std::ptrdiff_t>(end),
            values.begin() + static_cast<std::ptrdiff_t>(begin));
  return inversions;
}

}  // namespace

std::vector<double> average_ranks(std::span<const double> values) {
  if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
    base::fail(base::ExitCode::kInput, "ranks need finite values; leave out failed rows first");
  }
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (; begin < end; ++begin) ranks[order[begin]] = rank;
  }
  return ranks;
}

Moments moments_of(std::span<const double> values) {
  const auto n = static_cast<long double>(values.size());
  const long double first = values.front();
  long double sum = 0;
  for (const double value : values) sum += value - first;
  const long double mean = sum / n;
  long double squares = 0;
  for (const double value : values) squares += (value - first - mean) * (value - first - mean);
  return {static_cast<double>(first + mean), static_cast<double>(squares / n)};
}

double pearson(std::span<const double> a, std::span<const double> b) {
  check_lengths(a, b);
  if (a.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  // Differences from the first value are exact where values lie close together, far from 0.
  const auto n = static_cast<long double>(a.size());
  const long double first_a = a.front();
  const long double first_b = b.front();
  long double sum_a = 0;
  long double sum_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum_a += a[i] - first_a;
    sum_b += b[i] - first_b;
  }
  long double aa = 0;
  long double bb = 0;
  long double ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double x = a[i] - first_a - sum_a / n;
    const long double y = b[i] - first_b - sum_b / n;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  if (aa == 0 || bb == 0) return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(static_cast<double>(ab / (std::sqrt(aa) * std::sqrt(bb))), -1.0, 1.0);
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check_lengths(a, b);
  return pearson(average_ranks(a), average_ranks(b));
}

double kendall(std::span<const double> a, std::span<const double> b) {
  check_lengths(a, b);
  const std::size_t n = a.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return a[i] != a[j] ? a[i] < a[j] : b[i] < b[j]; });
  const auto tied_a = tied_pairs(n, [&](std::size_t i) { return a[order[i]] == a[order[i - 1]]; });
  const auto tied_both = tied_pairs(
      n, [&](std::size_t i) { return a[order[i]] == a[order[i - 1]] && b[order[i]] == b[order[i - 1]]; });
  std::vector<double> sorted(n);
  for (std::size_t i = 0; i < n; ++i) sorted[i] = b[order[i]];
  std::vector<double> scratch(n);
  const auto discordant = sort_counting_inversions(sorted, scratch, 0, n);
  const auto tied_b = tied_pairs(n, [&](std::size_t i) { return sorted[i] == sorted[i - 1]; });
  const double all = 0.5 * static_cast<double>(n) * (static_cast<double>(n) - 1.0);
  const double denominator =
      std::sqrt((all - static_cast<double>(tied_a)) * (all - static_cast<double>(tied_b)));
  if (!(denominator > 0)) return std::numeric_limits<double>::quiet_NaN();
  return (all - static_cast<double>(tied_a) - static_cast<double>(tied_b) + static_cast<double>(tied_both) -
          2.0 * static_cast<double>(discordant)) /
         denominator;
}

}  // namespace quasar::evaluation
