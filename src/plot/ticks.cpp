#include "plot/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quasar::plot {
namespace {

/// Without the minus of a zero.
std::string without_negative_zero(std::string text) {
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

double nice_step(double span, int wanted) {
  const double rough = span / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

std::vector<Tick> linear_ticks(Range range, int wanted) {
  const double step = nice_step(range.high - range.low, wanted);
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  constexpr int kMostDecimals = 6;
  constexpr double kLongNumber = 1e6;
  const bool fixed = decimals <= kMostDecimals && largest < kLongNumber;
  std::vector<Tick> ticks;
  const double first = std::ceil(range.low / step - 1e-9);
  const double last = std::floor(range.high / step + 1e-9);
  for (double i = first; i <= last && ticks.size() < 100; ++i) {
    const double value = i * step;
    ticks.push_back(
        {value, without_negative_zero(fixed ? fmt::format("{:.{}f}", value, decimals)
                                            : fmt::format("{:.6g}", std::abs(i) < 0.5 ? 0.0 : value))});
  }
  return ticks;
}

std::vector<Tick> logarithmic_ticks(Range range, int wanted) {
  std::vector<Tick> ticks;
  const double first = std::ceil(std::log10(range.low) - 1e-9);
  const double last = std::floor(std::log10(range.high) + 1e-9);
  const double stride = std::max(1.0, std::ceil((last - first) / std::max(1, wanted)));
  const bool few = last - first < 2;
  for (double power = few ? first - 1 : first; power <= last; power += stride) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && !few) break;
      const double value = factor * std::pow(10.0, power);
      if (value >= range.low * (1 - 1e-9) && value <= range.high * (1 + 1e-9))
        ticks.push_back({value, fmt::format("{:.6g}", value)});
    }
  }
  return ticks;
}

}  // namespace

bool can_be_shown(double value, bool logarithmic) {
  return std::isfinite(value) && std::abs(value) <= kLargestShown && (!logarithmic || value > 1e-300);
}

Range range_of(const Axis& axis, Range data) {
  if (!axis.names.empty()) return {-0.5, static_cast<double>(axis.names.size()) - 0.5};
  const bool empty = data.low > data.high;
  Range range = empty ? Range{axis.logarithmic ? 1.0 : 0.0, axis.logarithmic ? 10.0 : 1.0} : data;
  if (axis.low) range.low = *axis.low;
  if (axis.high) range.high = *axis.high;
  if (axis.logarithmic) {
    if (!(range.low > 0)) range.low = range.high > 0 ? range.high / 10 : 1;
    if (!(range.high > range.low * (1 + 1e-9))) range = {range.low / 2, range.low * 2};
    // A ratio of extremes is infinite.
    const double room = empty ? 1 : std::exp(0.04 * (std::log(range.high) - std::log(range.low)));
    constexpr double kLeast = 1e-306;
    if (!axis.low) range.low = std::max(range.low / room, kLeast);
    if (!axis.high) range.high = std::min(range.high * room, 1 / kLeast);
    return range;
  }
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  // A spread that is lost in rounding is none.
  if (!(range.high - range.low > largest * 1e-9)) {
    const double around = largest > 0 ? largest / 2 : 0.5;
    const double middle = range.low;
    return {middle - around, middle + around};
  }
  const double room = empty ? 0 : (range.high - range.low) * 0.04;
  if (!axis.low) range.low -= room;
  if (!axis.high) range.high += room;
  return range;
}

std::vector<Tick> ticks_of(const Axis& axis, Range range, int wanted) {
  if (!axis.names.empty()) {
    std::vector<Tick> ticks;
    for (std::size_t i = 0; i < axis.names.size(); ++i)
      ticks.push_back({static_cast<double>(i), axis.names[i]});
    return ticks;
  }
  auto ticks = axis.logarithmic ? logarithmic_ticks(range, wanted) : linear_ticks(range, wanted);
  // One alone, as the 0 of 0 to 49, says nothing of how high the rest is.
  constexpr int kMore = 3;
  for (int more = 1; !axis.logarithmic && ticks.size() < 2 && more <= kMore; ++more)
    ticks = linear_ticks(range, wanted + more);
  if (ticks.empty()) ticks.push_back({range.low, short_number(range.low)});
  return ticks;
}

std::string short_number(double value) {
  return std::isfinite(value) ? without_negative_zero(fmt::format("{:.4g}", value)) : "-";
}

}  // namespace quasar::plot
