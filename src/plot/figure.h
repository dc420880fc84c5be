// Owns figures as SVG: text that needs nothing else, scales with its place, follows the reader's choice of
// light or dark, and tells screen readers what it shows. Each function returns one <svg> element for a Page;
// as_file() makes a file of it. Numbers that are not finite are left out, and the description says how many.
//
//   Chart chart{{"SRCC by share of anchors", "One line for each encoder."}};
//   chart.x.label = "share of anchors";
//   chart.curves.push_back({"RN50", {0.1, 0.5, 1}, {0.6, 0.7, 0.71}, {0.55, 0.68, 0.7}, {0.65, 0.72, 0.72}});
//   base::write_file_atomically("share.svg", as_file(chart_svg(chart)));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plot/ticks.h"

namespace quasar::plot {

struct Figure {
  std::string title;        ///< Stands above the figure, and is its name.
  std::string description;  ///< What it shows, for who does not see it.
};

/// Series of points; `x` and `y` [n].
struct Points {
  std::string name;
  std::vector<double> x, y;
};

/// A line through (x, y), broken where one is not finite. `low` and `high` [n] or empty: a band around it.
struct Curve {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low, high;
  bool marks = true;  ///< A mark at every point.
};

/// Points and lines over two axes: scatter plots with fitted curves, lines with error bands. Series are
/// numbered points first; beyond kMostMarks points, cells are shaded by how many lie in them.
struct Chart : Figure {
  Axis x, y;
  std::vector<Points> points;
  std::vector<Curve> curves;
  std::optional<double> baseline;  ///< A horizontal line for the eye: 0 for residuals.
};
inline constexpr std::size_t kMostMarks = 2000;
std::string chart_svg(const Chart& chart);

/// One value for each category; `low` and `high` [n] or empty: the ends of error bars.
struct BarSeries {
  std::string name;
  std::vector<double> values;
  std::vector<double> low, high;
};

/// Groups of bars from 0: a group for each category, in it a bar for each series.
struct Bars : Figure {
  std::vector<std::string> categories;
  Axis y;
  std::vector<BarSeries> series;
};
std::string bars_svg(const Bars& bars);

struct HistogramSeries {
  std::string name;
  std::vector<std::uint64_t> counts;  ///< Of bins of equal width from low to high.
};

/// Histograms over one another. A bin that is not empty shows, however small.
struct Histogram : Figure {
  Axis x;
  double low = 0, high = 1;
  std::vector<HistogramSeries> series;
};
std::string histogram_svg(const Histogram& histogram);

struct RadarSeries {
  std::string name;
  std::vector<double> values;  ///< One for each spoke.
};

/// Values on spokes from a common centre, which is the low end of `axis`.
struct Radar : Figure {
  std::vector<std::string> spokes;
  Axis axis;
  std::vector<RadarSeries> series;
};
std::string radar_svg(const Radar& radar);

/// The style that the figures share, for the head of a page; it holds custom properties of light and dark.
std::string_view figure_style();
/// A figure as a file of its own.
std::string as_file(std::string_view svg);

}  // namespace quasar::plot
