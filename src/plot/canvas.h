// Internal to the module: a drawing that grows downwards, its head, axes and legend.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plot/figure.h"
#include "plot/ticks.h"

namespace quasar::plot {

/// In units of the drawing, whose width is kWidth.
struct Box {
  double left = 0, top = 0, width = 0, height = 0;
};

inline constexpr double kWidth = 480;
inline constexpr double kTextHeight = 14;
inline constexpr double kLineHeight = 18;

/// A coordinate: one decimal, never "-0".
std::string place(double value);
/// What a text takes at most, about.
double text_width(std::string_view text);

/// Values to places.
class Scale {
 public:
  Scale(const Axis& axis, Range range, double at_low, double at_high);
  /// Also beyond the range, up to a few times its extent.
  double operator()(double value) const;

 private:
  bool logarithmic_;
  double low_, high_, at_low_, at_high_;
};

class Canvas {
 public:
  /// Begins with the figure's title, where it has one.
  explicit Canvas(const Figure& figure);

  /// The place below all that is there.
  double bottom() const { return bottom_; }
  void go_to(double bottom) { bottom_ = bottom; }
  void add(std::string_view markup) { body_ += markup; }
  /// `anchor`: start, middle or end; `more`: attributes.
  void text(double x, double y, std::string_view text, std::string_view anchor, std::string_view more = "");
  /// Remarks for the description: how much of the data is not shown.
  void remark(const std::string& remark);

  /// Draws label, grid and marks of both axes below all that is there, with room for `height`, and returns
  /// where values go. The bottom is below the label of x afterwards.
  Box axes(const Axis& x, Range x_range, const Axis& y, Range y_range, double height);
  struct Entry {
    std::string name;
    bool line = false;
    bool mark = true;
  };
  /// Names of the series beside what they are drawn as; nothing where none has a name.
  void legend(const std::vector<Entry>& entries);
  /// Says that there is nothing to see.
  void nothing(const Box& box);
  /// Begins and ends a part that is cut off outside `box`; coordinates stay those of the drawing.
  void begin_clip(const Box& box);
  void end_clip() { body_ += "</svg>\n"; }

  std::string finish() &&;

 private:
  std::string title_;
  std::string description_;
  std::string body_;
  double bottom_ = 0;
};

/// A mark of series `series` around (x, y): its shape tells it apart without its colour.
std::string mark(double x, double y, std::size_t series, double radius);
/// How a line of that series is drawn: dashes tell it apart without its colour.
std::string_view dashes(std::size_t series);
/// The class of its colour.
std::string colour_class(std::size_t series);

/// "3 values that are not finite are not shown" for the description; nothing for none.
std::string not_shown(std::size_t count, std::string_view what);

}  // namespace quasar::plot
