#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "base/errors.h"
#include "plot/canvas.h"

namespace quasar::plot {
namespace {

constexpr double kChartHeight = 270;
/// Cells of a shaded chart, across and down.
constexpr int kCellsAcross = 80;
constexpr int kCellsDown = 54;

/// What lies in a chart: the extent of all that is shown.
class Extent {
 public:
  Extent(const Axis& x, const Axis& y) : x_axis_(x), y_axis_(y) {}

  /// False for a point that has no place.
  bool add(double x, double y) {
    if (!can_be_shown(x, x_axis_.logarithmic) || !can_be_shown(y, y_axis_.logarithmic)) return false;
    widen(x_, x);
    widen(y_, y);
    return true;
  }
  void add_y(double y) {
    if (can_be_shown(y, y_axis_.logarithmic)) widen(y_, y);
  }
  bool empty() const { return x_.low > x_.high; }
  Range x() const { return range_of(x_axis_, x_); }
  Range y() const { return range_of(y_axis_, y_); }

 private:
  static void widen(Range& range, double value) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }

  const Axis& x_axis_;
  const Axis& y_axis_;
  Range x_{kLargestShown * 2, -kLargestShown * 2};
  Range y_ = x_;
};

class ChartPainter {
 public:
  ChartPainter(const Chart& chart, Canvas& canvas, const Box& box, const Extent& extent)
      : chart_(chart),
        canvas_(canvas),
        box_(box),
        x_(chart.x, extent.x(), box.left, box.left + box.width),
        y_(chart.y, extent.y(), box.top + box.height, box.top) {}

  bool has_place(double x, double y) const {
    return can_be_shown(x, chart_.x.logarithmic) && can_be_shown(y, chart_.y.logarithmic);
  }

  void baseline(double value) {
    if (!can_be_shown(value, chart_.y.logarithmic)) return;
    canvas_.add(fmt::format("<path class=\"e\" d=\"M{} {}h{}\"/>\n", place(box_.left), place(y_(value)),
                            place(box_.width)));
  }

  void marks(const Points& points, std::size_t series) {
    for (std::size_t i = 0; i < points.x.size(); ++i) {
      if (has_place(points.x[i], points.y[i]))
        canvas_.add(mark(x_(points.x[i]), y_(points.y[i]), series, 2.5));
    }
  }

  void cells(const Points& points, std::size_t series) {
    const double across = box_.width / kCellsAcross;
    const double down = box_.height / kCellsDown;
    std::map<std::pair<int, int>, std::uint64_t> counts;
    std::uint64_t most = 1;
    for (std::size_t i = 0; i < points.x.size(); ++i) {
      if (!has_place(points.x[i], points.y[i])) continue;
      const auto column = static_cast<int>(std::floor((x_(points.x[i]) - box_.left) / across));
      const auto row = static_cast<int>(std::floor((y_(points.y[i]) - box_.top) / down));
      most = std::max(most, ++counts[{column, row}]);
    }
    for (const auto& [cell, count] : counts) {
      const double share =
          most == 1 ? 1 : std::log(static_cast<double>(count)) / std::log(static_cast<double>(most));
      canvas_.add(
          fmt::format("<rect class=\"b {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
                      "fill-opacity=\"{:.2f}\"/>\n",
                      colour_class(series), place(box_.left + cell.first * across),
                      place(box_.top + cell.second * down), place(across), place(down), 0.15 + 0.8 * share));
    }
  }

  void band(const Curve& curve, std::size_t series) {
    if (curve.low.empty()) return;
    std::vector<std::size_t> stretch;
    for (std::size_t i = 0; i <= curve.x.size(); ++i) {
      if (i < curve.x.size() && has_place(curve.x[i], curve.low[i]) && has_place(curve.x[i], curve.high[i])) {
        stretch.push_back(i);
        continue;
      }
      if (stretch.size() == 1) error_bar(curve, stretch.front());
      if (stretch.size() > 1) filled(curve, stretch, series);
      stretch.clear();
    }
  }

  void line(const Curve& curve, std::size_t series) {
    std::string path;
    bool broken = true;
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!has_place(curve.x[i], curve.y[i])) {
        broken = true;
        continue;
      }
      path += fmt::format("{}{} {}", broken ? "M" : "L", place(x_(curve.x[i])), place(y_(curve.y[i])));
      broken = false;
    }
    if (!path.empty()) {
      canvas_.add(
          fmt::format("<path class=\"c {}\" d=\"{}\"{}/>\n", colour_class(series), path, dashes(series)));
    }
    if (curve.marks) marks({"", curve.x, curve.y}, series);
  }

 private:
  void error_bar(const Curve& curve, std::size_t i) {
    canvas_.add(fmt::format("<path class=\"e\" d=\"M{} {}V{}\"/>\n", place(x_(curve.x[i])),
                            place(y_(curve.low[i])), place(y_(curve.high[i]))));
  }

  void filled(const Curve& curve, const std::vector<std::size_t>& rows, std::size_t series) {
    std::string path;
    for (const std::size_t i : rows)
      path +=
          fmt::format("{}{} {}", path.empty() ? "M" : "L", place(x_(curve.x[i])), place(y_(curve.high[i])));
    for (auto i = rows.rbegin(); i != rows.rend(); ++i)
      path += fmt::format("L{} {}", place(x_(curve.x[*i])), place(y_(curve.low[*i])));
    canvas_.add(
        fmt::format("<path class=\"b {}\" d=\"{}z\" fill-opacity=\"0.18\"/>\n", colour_class(series), path));
  }

  const Chart& chart_;
  Canvas& canvas_;
  Box box_;
  Scale x_, y_;
};

void check(const Chart& chart) {
  for (const auto& points : chart.points) QUASAR_CHECK(points.x.size() == points.y.size());
  for (const auto& curve : chart.curves) {
    QUASAR_CHECK(curve.x.size() == curve.y.size() && curve.low.size() == curve.high.size() &&
                 (curve.low.empty() || curve.low.size() == curve.x.size()));
  }
}

}  // namespace

std::string chart_svg(const Chart& chart) {
  check(chart);
  Extent extent(chart.x, chart.y);
  std::size_t shown = 0;
  std::size_t lost = 0;
  const auto take = [&](double x, double y) { ++(extent.add(x, y) ? shown : lost); };
  for (const auto& points : chart.points) {
    for (std::size_t i = 0; i < points.x.size(); ++i) take(points.x[i], points.y[i]);
  }
  const bool shaded = shown > kMostMarks;
  for (const auto& curve : chart.curves) {
    for (std::size_t i = 0; i < curve.x.size(); ++i) take(curve.x[i], curve.y[i]);
    for (const double value : curve.low) extent.add_y(value);
    for (const double value : curve.high) extent.add_y(value);
  }
  if (chart.baseline && !extent.empty()) extent.add_y(*chart.baseline);

  Canvas canvas(chart);
  const Box box = canvas.axes(chart.x, extent.x(), chart.y, extent.y(), kChartHeight);
  canvas.remark(not_shown(lost, "point"));
  if (extent.empty()) {
    canvas.nothing(box);
    return std::move(canvas).finish();
  }
  if (shaded) canvas.remark("Cells are shaded by how many points lie in them");
  ChartPainter painter(chart, canvas, box, extent);
  canvas.begin_clip(box);
  if (chart.baseline) painter.baseline(*chart.baseline);
  std::size_t series = 0;
  std::vector<Canvas::Entry> names;
  for (const auto& points : chart.points) {
    if (shaded) {
      painter.cells(points, series);
    } else {
      painter.marks(points, series);
    }
    names.push_back({points.name});
    ++series;
  }
  for (std::size_t i = 0; i < chart.curves.size(); ++i) painter.band(chart.curves[i], series + i);
  for (const auto& curve : chart.curves) {
    painter.line(curve, series);
    names.push_back({curve.name, true, curve.marks});
    ++series;
  }
  canvas.end_clip();
  canvas.legend(names);
  return std::move(canvas).finish();
}

}  // namespace quasar::plot
