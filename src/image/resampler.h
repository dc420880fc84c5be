// Internal to the module: owns resampling of a picture whose rows come from the top, as Pillow does it: along
// the rows as they come, along the columns at the end. What the wanted part does not need is neither computed
// nor held.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "image/pixel_kernels.h"
#include "image/row_sink.h"

namespace quasar::image {

/// Samples [begin, end) along one axis.
struct Range {
  int begin = 0;
  int end = 0;

  int size() const { return end - begin; }
};

/// The part of a resampled picture that is wanted.
struct Window {
  Range columns;
  Range rows;
};

enum class Filter { kBicubic, kBilinear, kNearest };

/// What is to be made of a picture: resampled to width x height, of which the window is kept.
struct Target {
  int width = 0;
  int height = 0;
  Window window;
  Filter filter = Filter::kBicubic;
};

/// What fit() makes of a raster, which may have been decoded smaller than its picture of picture_width x
/// picture_height: the result has the size that the full picture's would have. Pixels are not looked at.
Target fit_target(const Raster& raster, int picture_width, int picture_height, const base::InputSpec& spec);

/// For each wanted output sample: the first input sample and the integer weights.
struct Weights {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int> values;  ///< [output, width]
  int width = 0;

  AxisWeights view() const {
    return {first.data(), count.data(), values.data(), static_cast<std::size_t>(width), first.size()};
  }
  /// The input samples that have a weight.
  Range used() const { return {first.front(), first.back() + count.back()}; }
};

class Resampler final : public RowSink {
 public:
  /// `aim` says what is to be made of a picture of that shape.
  explicit Resampler(std::function<Target(const Raster& shape)> aim) : aim_(std::move(aim)) {}

  void begin(const Raster& shape) override;
  void rows(const std::uint8_t* const* rows, int count) override;
  /// The window, once all rows have come.
  Raster finish();

 private:
  /// How a row becomes one of held_.
  enum class Step { kCopy, kChoose, kResample };

  void resample(const std::uint8_t* const* rows, int count);

  std::function<Target(const Raster&)> aim_;
  Raster shape_;
  Target target_;
  Step step_ = Step::kCopy;
  bool vertical_ = false;                    ///< Columns are resampled.
  bool premultiplied_ = false;               ///< By alpha, before resampling.
  Weights across_;                           ///< Along the rows.
  Weights down_;                             ///< Along the columns.
  Range used_;                               ///< Rows that the window needs,
  Range needed_;                             ///< and columns.
  std::vector<std::size_t> chosen_columns_;  ///< Of nearest neighbours.
  std::vector<std::size_t> chosen_rows_;
  int next_ = 0;  ///< Row of the picture that comes next.
  Raster held_;   ///< Rows of the window's columns: used_ ones, or chosen ones.
  std::size_t held_rows_ = 0;
  std::vector<std::uint8_t> multiplied_;  ///< Rows of a strip, multiplied by their alpha.
  std::vector<std::uint8_t> columns_;     ///< A strip, as kernels take it and give it.
  std::vector<std::uint8_t> resampled_;
  std::vector<std::uint8_t> beyond_;  ///< Where rows past the end go.
};

}  // namespace quasar::image
