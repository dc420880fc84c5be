#include "plot/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "plot/markup.h"

namespace quasar::plot {
namespace {

constexpr double kCharacterWidth = 7.2;
constexpr std::size_t kColours = 8;

double widest(const std::vector<Tick>& ticks) {
  double width = 0;
  for (const auto& tick : ticks) width = std::max(width, text_width(tick.text));
  return width;
}

}  // namespace

std::string place(double value) {
  const std::string text = fmt::format("{:.1f}", value);
  return text == "-0.0" ? "0.0" : text;
}

double text_width(std::string_view text) {
  // Bytes that continue a character have no width.
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return static_cast<double>(characters) * kCharacterWidth;
}

Scale::Scale(const Axis& axis, Range range, double at_low, double at_high)
    : logarithmic_(axis.logarithmic),
      low_(logarithmic_ ? std::log(range.low) : range.low),
      high_(logarithmic_ ? std::log(range.high) : range.high),
      at_low_(at_low),
      at_high_(at_high) {}

double Scale::operator()(double value) const {
  // Halves, as the difference of extremes is infinite.
  const double share = ((logarithmic_ ? std::log(value) : value) / 2 - low_ / 2) / (high_ / 2 - low_ / 2);
  return at_low_ + std::clamp(share, -3.0, 4.0) * (at_high_ - at_low_);
}

Canvas::Canvas(const Figure& figure) : title_(figure.title), description_(figure.description) {
  constexpr std::size_t kTitleCharacters = 54;
  std::string_view rest = title_;
  while (!rest.empty()) {
    bottom_ += kLineHeight;
    text(0, bottom_ - 4, first_words(rest, kTitleCharacters), "start", " class=\"t\"");
  }
}

void Canvas::text(double x, double y, std::string_view text, std::string_view anchor, std::string_view more) {
  body_ += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\"{}>{}</text>\n", place(x), place(y), anchor,
                       more, escaped(text));
}

void Canvas::remark(const std::string& remark) {
  if (remark.empty()) return;
  if (!description_.empty()) description_ += ' ';
  description_ += remark + ".";
}

Box Canvas::axes(const Axis& x, Range x_range, const Axis& y, Range y_range, double height) {
  const auto y_ticks = ticks_of(y, y_range, static_cast<int>(height / 45));
  const auto x_ticks = ticks_of(x, x_range, 6);
  if (!y.label.empty()) {
    bottom_ += kLineHeight;
    text(0, bottom_ - 4, y.label, "start", " class=\"l\"");
  }
  bottom_ += kLineHeight / 2;
  Box box;
  box.left = std::min(widest(y_ticks) + 8, kWidth / 3);
  // Half of the last mark's text sticks out.
  const double right = x.names.empty() ? std::min(24.0, text_width(x_ticks.back().text) / 2 + 2) : 2.0;
  box.top = bottom_;
  box.width = kWidth - right - box.left;
  box.height = height;
  const Scale to_x(x, x_range, box.left, box.left + box.width);
  const Scale to_y(y, y_range, box.top + height, box.top);
  for (const auto& tick : y_ticks) {
    const double at = to_y(tick.value);
    body_ += fmt::format("<path class=\"g\" d=\"M{} {}H{}\"/>\n", place(box.left), place(at),
                         place(box.left + box.width));
    text(box.left - 6, at + kTextHeight / 3, tick.text, "end");
  }
  bottom_ += height;
  const double room = box.width / static_cast<double>(std::max<std::size_t>(1, x_ticks.size()));
  const double width = widest(x_ticks);
  // Names that do not fit side by side slant.
  const bool slanted = !x.names.empty() && width > room - 4;
  for (const auto& tick : x_ticks) {
    const double at = to_x(tick.value);
    if (x.names.empty()) {
      body_ += fmt::format("<path class=\"g\" d=\"M{} {}V{}\"/>\n", place(at), place(box.top),
                           place(box.top + height));
    }
    if (slanted) {
      text(at, bottom_ + 12, tick.text, "end",
           fmt::format(" transform=\"rotate(-40 {} {})\"", place(at), place(bottom_ + 12)));
    } else {
      text(at, bottom_ + kLineHeight - 2, tick.text, "middle");
    }
  }
  bottom_ += slanted ? 14 + width * 0.65 : kLineHeight;
  if (!x.label.empty()) {
    bottom_ += kLineHeight;
    text(box.left + box.width / 2, bottom_ - 4, x.label, "middle", " class=\"l\"");
  }
  body_ += fmt::format("<path class=\"a\" d=\"M{} {}V{}H{}\"/>\n", place(box.left), place(box.top),
                       place(box.top + height), place(box.left + box.width));
  return box;
}

void Canvas::legend(const std::vector<Entry>& entries) {
  if (std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.name.empty(); }))
    return;
  double x = 0;
  bottom_ += kLineHeight + 4;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    const double swatch = entry.line ? 28 : 16;
    const double width = swatch + 4 + text_width(entry.name) + 14;
    if (x > 0 && x + width > kWidth) {
      x = 0;
      bottom_ += kLineHeight;
    }
    const double y = bottom_ - 5 - kTextHeight / 3;
    if (entry.line) {
      body_ += fmt::format("<path class=\"c {}\" d=\"M{} {}h24\"{}/>\n", colour_class(i), place(x), place(y),
                           dashes(i));
    }
    if (entry.mark) body_ += mark(x + (entry.line ? 12 : 6), y, i, 4);
    text(x + swatch, bottom_ - 4, entry.name, "start");
    x += width;
  }
}

void Canvas::nothing(const Box& box) {
  text(box.left + box.width / 2, box.top + box.height / 2, "no data", "middle");
  remark("There is nothing to show");
}

void Canvas::begin_clip(const Box& box) {
  body_ += fmt::format("<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">\n",
                       place(box.left), place(box.top), place(box.width), place(box.height));
}

std::string Canvas::finish() && {
  // The first title and description are what readers of the screen say.
  return fmt::format(
      "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">\n<title>{}</title>\n<desc>{}</desc>\n{}</svg>\n",
      place(kWidth), place(bottom_ + 6), escaped(title_), escaped(title_), escaped(description_), body_);
}

std::string mark(double x, double y, std::size_t series, double radius) {
  const auto colour = colour_class(series);
  const double r = radius;
  switch (series % 4) {
    case 0:
      return fmt::format("<circle class=\"m {}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n", colour, place(x),
                         place(y), place(r));
    case 1:
      return fmt::format("<path class=\"m {}\" d=\"M{} {}h{s}v{s}h-{s}z\"/>\n", colour, place(x - r * 0.9),
                         place(y - r * 0.9), fmt::arg("s", place(r * 1.8)));
    case 2:
      return fmt::format("<path class=\"m {}\" d=\"M{} {}l{} {}h-{}z\"/>\n", colour, place(x),
                         place(y - r * 1.2), place(r * 1.2), place(r * 2.1), place(r * 2.4));
    default:
      return fmt::format("<path class=\"m {}\" d=\"M{} {}l{s} {s}l-{s} {s}l-{s} -{s}z\"/>\n", colour,
                         place(x), place(y - r * 1.3), fmt::arg("s", place(r * 1.3)));
  }
}

std::string_view dashes(std::size_t series) {
  constexpr std::array<std::string_view, 4> kDashes{
      "", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\"", " stroke-dasharray=\"9 3 2 3\""};
  return kDashes[series % kDashes.size()];
}

std::string colour_class(std::size_t series) {
  return "s" + std::to_string(series % kColours);
}

std::string not_shown(std::size_t count, std::string_view what) {
  if (count == 0) return "";
  return fmt::format("{} {}{} no place on the axes and {} not shown", count, what,
                     count == 1 ? " has" : "s have", count == 1 ? "is" : "are");
}

std::string_view figure_style() {
  return ":root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --grid: #d8dee4; --paper: #fff; "
         "--s0: #0b62b0; --s1: #c2510c; --s2: #0a7d55; --s3: #a8328f; --s4: #8a6d00; --s5: #6650b8; --s6: "
         "#00798c; "
         "--s7: #7d4b32 }\n"
         "@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9ea7b3; --grid: #3a424c; "
         "--paper: #14181d; --s0: #6cb6ff; --s1: #ff9a57; --s2: #57d6a3; --s3: #f19be0; --s4: #e3c04b; --s5: "
         "#b3a1ff; "
         "--s6: #56cfe1; --s7: #d6a58a } }\n"
         ".plot { display: block; width: 100%; max-width: 44em; height: auto; font: 14px sans-serif; fill: "
         "var(--soft) }\n"
         ".plot .t { font-weight: bold; fill: var(--ink) } .plot .l { fill: var(--ink) }\n"
         ".plot .g { stroke: var(--grid); fill: none } .plot .a { stroke: var(--soft); fill: none }\n"
         ".plot .c { stroke: currentColor; stroke-width: 2; fill: none } .plot .m { fill: currentColor }\n"
         ".plot .b { fill: currentColor; stroke: none } .plot .e { stroke: var(--ink); fill: none }\n"
         ".plot .s0 { color: var(--s0) } .plot .s1 { color: var(--s1) } .plot .s2 { color: var(--s2) } "
         ".plot .s3 { color: var(--s3) } .plot .s4 { color: var(--s4) } .plot .s5 { color: var(--s5) } "
         ".plot .s6 { color: var(--s6) } .plot .s7 { color: var(--s7) }\n";
}

std::string as_file(std::string_view svg) {
  const std::size_t end = svg.find('>') + 1;
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n<style>\n{}.plot {{ background: var(--paper) }}\n"
      "</style>{}",
      svg.substr(0, end), figure_style(), svg.substr(end));
}

}  // namespace quasar::plot
