#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/errors.h"
#include "plot/canvas.h"

namespace quasar::plot {
namespace {

constexpr double kRadius = 140;

struct Place {
  double x = 0, y = 0;
};

/// Places on spokes around a centre; the first points up, and they go clockwise.
class Spokes {
 public:
  Spokes(Place centre, std::size_t count) : centre_(centre), count_(count) {}

  Place at(std::size_t spoke, double radius) const {
    const double angle = 2 * std::numbers::pi * static_cast<double>(spoke) / static_cast<double>(count_) -
                         std::numbers::pi / 2;
    return {centre_.x + radius * std::cos(angle), centre_.y + radius * std::sin(angle)};
  }
  /// Once around at that distance.
  std::string ring(double radius) const {
    std::string path;
    for (std::size_t i = 0; i < count_; ++i) path += step(at(i, radius), path.empty());
    return path + "z";
  }
  static std::string step(Place to, bool first) {
    return fmt::format("{}{} {}", first ? "M" : "L", place(to.x), place(to.y));
  }

 private:
  Place centre_;
  std::size_t count_;
};

}  // namespace

std::string radar_svg(const Radar& radar) {
  QUASAR_CHECK(!radar.axis.logarithmic);
  Range data{kLargestShown * 2, -kLargestShown * 2};
  std::size_t lost = 0;
  for (const auto& series : radar.series) {
    QUASAR_CHECK(series.values.size() == radar.spokes.size());
    for (const double value : series.values) {
      if (!can_be_shown(value, false)) {
        ++lost;
        continue;
      }
      data.low = std::min(data.low, value);
      data.high = std::max(data.high, value);
    }
  }
  const bool empty = data.low > data.high;
  auto axis = radar.axis;
  // From the centre, unless values lie below it.
  if (!axis.low && !empty && data.low >= 0) axis.low = 0;
  const Range range = range_of(axis, data);
  const Scale scale(axis, range, 0, kRadius);

  Canvas canvas(radar);
  if (!axis.label.empty()) {
    canvas.go_to(canvas.bottom() + kLineHeight);
    canvas.text(0, canvas.bottom() - 4, axis.label, "start", " class=\"l\"");
  }
  const Place centre{kWidth / 2, canvas.bottom() + kLineHeight * 1.5 + kRadius};
  const Box box{centre.x - kRadius, centre.y - kRadius, 2 * kRadius, 2 * kRadius};
  canvas.go_to(centre.y + kRadius + kLineHeight * 1.5);
  canvas.remark(not_shown(lost, "value"));
  if (empty || radar.spokes.empty()) {
    canvas.nothing(box);
    return std::move(canvas).finish();
  }
  const Spokes spokes(centre, radar.spokes.size());
  const auto ticks = ticks_of(axis, range, 4);
  for (const auto& tick : ticks)
    canvas.add(fmt::format("<path class=\"g\" d=\"{}\"/>\n", spokes.ring(scale(tick.value))));
  for (std::size_t i = 0; i < radar.spokes.size(); ++i) {
    const auto end = spokes.at(i, kRadius);
    canvas.add(fmt::format("<path class=\"g\" d=\"M{} {}L{} {}\"/>\n", place(centre.x), place(centre.y),
                           place(end.x), place(end.y)));
    const auto label = spokes.at(i, kRadius + 10);
    const bool middle = std::abs(label.x - centre.x) < 1;
    canvas.text(label.x, label.y + (middle && label.y > centre.y ? kTextHeight : kTextHeight / 3),
                radar.spokes[i],
                middle               ? "middle"
                : label.x < centre.x ? "end"
                                     : "start");
  }
  std::vector<Canvas::Entry> names;
  for (std::size_t s = 0; s < radar.series.size(); ++s) {
    const auto& values = radar.series[s].values;
    names.push_back({radar.series[s].name, true});
    std::string path;
    std::string marks;
    bool broken = true;
    bool whole = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!can_be_shown(values[i], false)) {
        broken = true;
        whole = false;
        continue;
      }
      const auto to = spokes.at(i, std::clamp(scale(values[i]), 0.0, kRadius));
      path += Spokes::step(to, broken);
      marks += mark(to.x, to.y, s, 3);
      broken = false;
    }
    if (path.empty()) continue;
    canvas.add(fmt::format("<path class=\"c {}\" d=\"{}{}\"{}/>\n{}", colour_class(s), path, whole ? "z" : "",
                           dashes(s), marks));
  }
  for (const auto& tick : ticks)
    canvas.text(centre.x + 4, centre.y - scale(tick.value) - 2, tick.text, "start");
  canvas.legend(names);
  return std::move(canvas).finish();
}

}  // namespace quasar::plot
