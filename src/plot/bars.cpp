#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/errors.h"
#include "base/progress.h"
#include "plot/canvas.h"
#include "plot/markup.h"

namespace quasar::plot {
namespace {

constexpr double kBarsHeight = 240;

bool finite(double value) {
  return can_be_shown(value, false);
}

/// From 0 to what bars and errors reach.
Range reach_of(const Bars& bars) {
  Range reach{0, 0};
  const auto widen = [&reach](double value) {
    if (!finite(value)) return;
    reach.low = std::min(reach.low, value);
    reach.high = std::max(reach.high, value);
  };
  for (const auto& series : bars.series) {
    for (const auto* values : {&series.values, &series.low, &series.high})
      std::for_each(values->begin(), values->end(), widen);
  }
  if (reach.low == 0 && reach.high == 0) return {0, 1};
  auto axis = bars.y;
  // Bars stand on 0.
  if (reach.low == 0 && !axis.low) axis.low = 0;
  if (reach.high == 0 && !axis.high) axis.high = 0;
  return range_of(axis, reach);
}

std::string rectangle(std::string_view colour, const Box& box, std::string_view tip) {
  return fmt::format(
      "<rect class=\"b {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>\n", colour,
      place(box.left), place(box.top), place(box.width), place(box.height), escaped(tip));
}

}  // namespace

std::string bars_svg(const Bars& bars) {
  QUASAR_CHECK(!bars.y.logarithmic);
  for (const auto& series : bars.series) {
    QUASAR_CHECK(series.values.size() == bars.categories.size() && series.low.size() == series.high.size() &&
                 (series.low.empty() || series.low.size() == series.values.size()));
  }
  const Range y_range = reach_of(bars);
  Axis x;
  x.names = bars.categories;
  const Range x_range = range_of(x, {1, 0});
  Canvas canvas(bars);
  const Box box = canvas.axes(x, x_range, bars.y, y_range, kBarsHeight);
  const Scale to_x(x, x_range, box.left, box.left + box.width);
  const Scale to_y(bars.y, y_range, box.top + box.height, box.top);
  if (bars.series.empty() || bars.categories.empty()) {
    canvas.nothing(box);
    return std::move(canvas).finish();
  }
  const double group = box.width / static_cast<double>(bars.categories.size());
  const double width = group * 0.84 / static_cast<double>(bars.series.size());
  std::vector<Canvas::Entry> names;
  std::size_t lost = 0;
  canvas.begin_clip(box);
  canvas.add(fmt::format("<path class=\"a\" d=\"M{} {}h{}\"/>\n", place(box.left), place(to_y(0)),
                         place(box.width)));
  for (std::size_t s = 0; s < bars.series.size(); ++s) {
    const auto& series = bars.series[s];
    names.push_back({series.name});
    for (std::size_t c = 0; c < series.values.size(); ++c) {
      const double left = to_x(static_cast<double>(c)) - group * 0.42 + width * static_cast<double>(s);
      if (!finite(series.values[c])) {
        ++lost;
        continue;
      }
      const double end = to_y(series.values[c]);
      const double zero = to_y(0);
      canvas.add(rectangle(colour_class(s), {left, std::min(end, zero), width * 0.94, std::abs(end - zero)},
                           fmt::format("{}{}{}: {}", bars.categories[c], series.name.empty() ? "" : ", ",
                                       series.name, short_number(series.values[c]))));
      if (series.low.empty() || !finite(series.low[c]) || !finite(series.high[c])) continue;
      canvas.add(fmt::format("<path class=\"e\" d=\"M{} {}V{}\"/>\n", place(left + width * 0.47),
                             place(to_y(series.low[c])), place(to_y(series.high[c]))));
    }
  }
  canvas.end_clip();
  canvas.remark(not_shown(lost, "value"));
  canvas.legend(names);
  return std::move(canvas).finish();
}

std::string histogram_svg(const Histogram& histogram) {
  std::uint64_t most = 0;
  std::size_t bins = 1;
  std::vector<Canvas::Entry> names;
  for (const auto& series : histogram.series) {
    names.push_back({series.name});
    bins = std::max(bins, series.counts.size());
    for (const auto count : series.counts) most = std::max(most, count);
  }
  for (const auto& series : histogram.series) QUASAR_CHECK(series.counts.size() == bins);
  Axis y;
  y.low = 0;
  y.high = static_cast<double>(std::max<std::uint64_t>(most, 1));
  auto x = histogram.x;
  const bool whole = finite(histogram.low) && finite(histogram.high) && histogram.low < histogram.high;
  if (whole) {
    x.low = histogram.low;
    x.high = histogram.high;
  }
  // All values in one place: their bin is in the middle of the axis.
  const Range x_range =
      range_of(x, finite(histogram.low) ? Range{histogram.low, histogram.low} : Range{1, 0});
  Canvas canvas(histogram);
  const Box box = canvas.axes(x, x_range, y, {0, *y.high}, kBarsHeight / 2);
  if (most == 0) {
    canvas.nothing(box);
    return std::move(canvas).finish();
  }
  const double width = box.width / static_cast<double>(bins);
  for (std::size_t s = 0; s < histogram.series.size(); ++s) {
    if (histogram.series.size() > 1) canvas.add("<g fill-opacity=\"0.6\">\n");
    for (std::size_t bin = 0; bin < bins; ++bin) {
      const auto count = histogram.series[s].counts[bin];
      if (count == 0) continue;
      const double height =
          std::max(1.0, static_cast<double>(count) / static_cast<double>(most) * box.height);
      canvas.add(rectangle(
          colour_class(s),
          {box.left + static_cast<double>(bin) * width, box.top + box.height - height, width * 0.94, height},
          base::with_thousands(count)));
    }
    if (histogram.series.size() > 1) canvas.add("</g>\n");
  }
  canvas.legend(names);
  return std::move(canvas).finish();
}

}  // namespace quasar::plot
