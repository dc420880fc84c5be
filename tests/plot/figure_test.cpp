#include "plot/figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

namespace quasar::plot {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// What every figure must be, whatever it shows.
void expect_sound(const std::string& svg) {
  EXPECT_TRUE(svg.starts_with("<svg class=\"plot\""));
  EXPECT_THAT(
      svg, AllOf(HasSubstr("role=\"img\""), HasSubstr("<title>"), HasSubstr("<desc>"), HasSubstr("viewBox")));
  EXPECT_EQ(occurrences(svg, "<svg"), occurrences(svg, "</svg>"));
  EXPECT_EQ(occurrences(svg, "<text"), occurrences(svg, "</text>"));
  // Numbers alone: words such as "banana" hold the letters too.
  static const std::regex none("[\" ,MLHVhvl-](nan|inf|NaN|Infinity)");
  EXPECT_FALSE(std::regex_search(svg, none)) << svg;
  EXPECT_EQ(std::count(svg.begin(), svg.end(), '\0'), 0);
}

TEST(Figure, AChartHasItsPointsCurvesBandsAndLegend) {
  Chart chart;
  chart.title = "scores and ratings";
  chart.x.label = "score";
  chart.y.label = "rating";
  chart.points.push_back({"pictures", {0.1, 0.2, 0.3}, {1, 2, 3}});
  chart.curves.push_back({"fit", {0.1, 0.3}, {1, 3}, {0.5, 2.5}, {1.5, 3.5}, false});
  chart.baseline = 2;
  const auto svg = chart_svg(chart);
  expect_sound(svg);
  EXPECT_EQ(occurrences(svg, "<circle"), 4U) << "three points and one in the legend";
  EXPECT_THAT(svg, AllOf(HasSubstr(">score</text>"), HasSubstr(">rating</text>"), HasSubstr(">fit</text>"),
                         HasSubstr("fill-opacity=\"0.18\"")));
}

TEST(Figure, WhatHasNoPlaceIsLeftOutAndCounted) {
  Chart chart;
  chart.points.push_back({"", {1, kNan, 3, 4, 5}, {1, 2, kInfinity, -1e305, 2}});
  chart.curves.push_back({"", {1, 2, 3}, {1, kNan, 2}, {0, kNan, kNan}, {2, kNan, kNan}});
  const auto svg = chart_svg(chart);
  expect_sound(svg);
  EXPECT_THAT(svg, HasSubstr("4 points have no place on the axes and are not shown"));
  Chart logarithmic;
  logarithmic.x.logarithmic = true;
  logarithmic.points.push_back({"", {0.01, 0, -1, 1}, {1, 1, 1, 1}});
  EXPECT_THAT(chart_svg(logarithmic), HasSubstr("2 points have"));
  expect_sound(chart_svg(logarithmic));
}

TEST(Figure, OnePointConstantDataAndNoneAreFigures) {
  Chart chart;
  EXPECT_THAT(chart_svg(chart), HasSubstr("no data"));
  expect_sound(chart_svg(chart));
  chart.points.push_back({"", {3}, {7}});
  expect_sound(chart_svg(chart));
  EXPECT_EQ(occurrences(chart_svg(chart), "<circle"), 1U);
  chart.points.push_back({"", {3, 3, 3}, {7, 7, 7}});
  chart.curves.push_back({"", {3}, {7}, {6}, {8}});
  expect_sound(chart_svg(chart));
  chart.points = {{"", {kNan}, {1}}};
  chart.curves.clear();
  EXPECT_THAT(chart_svg(chart), AllOf(HasSubstr("no data"), HasSubstr("1 point has")));
  for (const double scale : {1e-305, 1e-20, 1e20, 9e299}) {
    Chart extreme;
    extreme.points.push_back({"", {-scale, scale}, {scale, 2 * scale}});
    extreme.points.push_back({"", {0, 0}, {-scale, scale}});
    expect_sound(chart_svg(extreme));
  }
}

TEST(Figure, AMillionPointsAreShadedCells) {
  Chart chart;
  chart.points.emplace_back();
  for (int i = 0; i < 1'000'000; ++i) {
    chart.points[0].x.push_back(i % 1000);
    chart.points[0].y.push_back((i * 7) % 1013);
  }
  const auto svg = chart_svg(chart);
  expect_sound(svg);
  EXPECT_LT(svg.size(), 800'000U);
  EXPECT_THAT(svg, HasSubstr("shaded by how many"));
}

TEST(Figure, BarsStandOnZeroWithTheirErrors) {
  Bars bars;
  bars.title = "SRCC";
  bars.categories = {"TID2013", "KADID-10k", "KonIQ-10k"};
  bars.series = {{"a", {0.5, -0.2, kNan}, {0.4, -0.3, kNan}, {0.6, -0.1, kNan}},
                 {"b", {0.1, 0.2, 0.3}, {}, {}}};
  const auto svg = bars_svg(bars);
  expect_sound(svg);
  EXPECT_EQ(occurrences(svg, "<rect"), 5U);
  EXPECT_EQ(occurrences(svg, "class=\"e\""), 2U);
  EXPECT_THAT(svg, AllOf(HasSubstr("KADID-10k, a: -0.2"), HasSubstr("1 value has")));
  bars.series = {{"", {0, 0, 0}, {}, {}}};
  expect_sound(bars_svg(bars));
  bars.series = {{"", {kNan, kNan, kNan}, {}, {}}};
  expect_sound(bars_svg(bars));
  EXPECT_THAT(bars_svg({}), HasSubstr("no data"));
  expect_sound(bars_svg({}));
}

TEST(Figure, ManyNamesSlant) {
  Bars bars;
  for (int i = 0; i < 25; ++i) {
    bars.categories.push_back("distortion number " + std::to_string(i));
  }
  bars.series = {{"", std::vector<double>(25, 0.5), {}, {}}};
  EXPECT_THAT(bars_svg(bars), HasSubstr("rotate(-40"));
}

TEST(Figure, AHistogramShowsEveryBinThatIsNotEmpty) {
  Histogram histogram;
  histogram.series = {{"", {1, 0, 1'000'000}}};
  const auto svg = histogram_svg(histogram);
  expect_sound(svg);
  EXPECT_THAT(svg, AllOf(HasSubstr("height=\"120.0\"><title>1,000,000</title>"),
                         HasSubstr("height=\"1.0\"><title>1</title>")));
  EXPECT_EQ(occurrences(svg, "<rect"), 2U);
  histogram.low = histogram.high = 0.25;
  expect_sound(histogram_svg(histogram));
  histogram.low = kNan;
  expect_sound(histogram_svg(histogram));
  histogram.series = {{"good", {1, 2}}, {"bad", {2, 1}}};
  EXPECT_THAT(histogram_svg(histogram), HasSubstr(">bad</text>"));
  EXPECT_THAT(histogram_svg({}), HasSubstr("no data"));
}

TEST(Figure, ARadarHasASpokeForEachName) {
  Radar radar;
  radar.spokes = {"TID", "KADID", "KonIQ", "SPAQ", "AADB"};
  radar.series = {{"RN50", {0.5, 0.6, 0.7, 0.8, 0.4}}, {"mini", {0.3, kNan, 0.2, 0.5, -0.1}}};
  const auto svg = radar_svg(radar);
  expect_sound(svg);
  for (const auto& spoke : radar.spokes) EXPECT_THAT(svg, HasSubstr(">" + spoke + "</text>"));
  EXPECT_THAT(svg, HasSubstr("1 value has"));
  radar.spokes = {"one"};
  radar.series = {{"", {0.5}}};
  expect_sound(radar_svg(radar));
  radar.series = {{"", {kNan}}};
  EXPECT_THAT(radar_svg(radar), HasSubstr("no data"));
  EXPECT_THAT(radar_svg({}), HasSubstr("no data"));
}

TEST(Figure, NamesFromOutsideCannotLeaveTheirPlace) {
  const std::string hostile = "</text><script>alert(1)</script>\"'&\x01";
  Chart chart;
  chart.title = chart.description = chart.x.label = chart.y.label = hostile;
  chart.points.push_back({hostile, {1}, {1}});
  Bars bars;
  bars.title = hostile;
  bars.categories = {hostile};
  bars.series = {{hostile, {1}, {}, {}}};
  Radar radar;
  radar.title = hostile;
  radar.spokes = {hostile};
  radar.series = {{hostile, {1}}};
  Histogram histogram;
  histogram.title = histogram.x.label = hostile;
  histogram.series = {{hostile, {1}}};
  for (const auto& svg : {chart_svg(chart), bars_svg(bars), radar_svg(radar), histogram_svg(histogram)}) {
    expect_sound(svg);
    EXPECT_THAT(svg, AllOf(Not(HasSubstr("<script")), HasSubstr("&lt;script&gt;"), Not(HasSubstr("\x01"))));
  }
}

TEST(Figure, AFileHasItsOwnStyleForLightAndDark) {
  const auto file = as_file(chart_svg({}));
  EXPECT_TRUE(file.starts_with("<?xml"));
  EXPECT_THAT(file, AllOf(HasSubstr("prefers-color-scheme: dark"), HasSubstr("</svg>"),
                          HasSubstr("xmlns=\"http://www.w3.org/2000/svg\"")));
  EXPECT_EQ(occurrences(file, "<style>"), 1U);
}

}  // namespace
}  // namespace quasar::plot
