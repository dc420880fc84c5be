// Owns where an axis begins and ends, and where it is marked.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace quasar::plot {

/// How one axis of a figure is to be.
struct Axis {
  std::string label;
  std::optional<double> low, high;  ///< Of the range shown; taken from the data where not given.
  bool logarithmic = false;         ///< Values that are not positive are then left out, as if not finite.
  std::vector<std::string> names;   ///< A category at 0, 1, ...: these are the marks.
};

/// Largest magnitude that figures show; beyond it a value counts as not finite.
inline constexpr double kLargestShown = 1e300;
/// Whether a value has a place on an axis.
bool can_be_shown(double value, bool logarithmic);

struct Tick {
  double value = 0;
  std::string text;
};

struct Range {
  double low = 0;
  double high = 1;
};
/// The range of an axis for data from `data.low` to `data.high` (low > high: there is none), with some room
/// where the axis does not say. Never empty, never infinite.
Range range_of(const Axis& axis, Range data);

/// Marks at multiples of 1, 2 or 5 times a power of ten (powers of ten where logarithmic) within the range,
/// about `wanted` of them, at least one, with the digits that tell them apart.
std::vector<Tick> ticks_of(const Axis& axis, Range range, int wanted);

/// A number in four significant digits, as figures and tables show it; "-" for one that is not finite.
std::string short_number(double value);

}  // namespace quasar::plot
