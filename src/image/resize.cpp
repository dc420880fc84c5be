#include "image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/errors.h"
#include "image/pixel_kernels.h"

namespace quasar::image {
namespace {

/// Keys' cubic with a = -0.5, as Pillow's bicubic_filter.
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

/// As Pillow's bilinear_filter.
double triangle(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// A filter, and how far from its centre it ends, in samples.
struct Filter {
  double (*value)(double);
  double support;
};
constexpr Filter kBicubic = {cubic, 2.0};
constexpr Filter kBilinear = {triangle, 1.0};

/// Samples [begin, end) along one axis.
struct Range {
  int begin = 0;
  int end = 0;

  int size() const { return end - begin; }
};

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

/// The weights of the `wanted` ones among `output` samples.
Weights make_weights(int input, int output, Range wanted, const Filter& filter) {
  const double scale = static_cast<double>(input) / output;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter.support * filter_scale;
  Weights weights;
  weights.width = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.values.assign(static_cast<std::size_t>(wanted.size()) * static_cast<std::size_t>(weights.width), 0);
  std::vector<double> row(static_cast<std::size_t>(weights.width));
  for (int i = wanted.begin; i < wanted.end; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(input, static_cast<int>(center + support + 0.5)) - first;
    double sum = 0;
    for (int x = 0; x < count; ++x) {
      row[static_cast<std::size_t>(x)] = filter.value((x + first - center + 0.5) * (1.0 / filter_scale));
      sum += row[static_cast<std::size_t>(x)];
    }
    for (int x = 0; x < count; ++x) {
      double weight = row[static_cast<std::size_t>(x)];
      if (sum != 0.0) weight /= sum;
      weights.values[static_cast<std::size_t>(i - wanted.begin) * static_cast<std::size_t>(weights.width) +
                     static_cast<std::size_t>(x)] =
          static_cast<int>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits));
    }
    weights.first.push_back(first);
    weights.count.push_back(count);
  }
  return weights;
}

/// Resamples the rows of `in` along them: the result has weights.first.size() columns and rows.size() rows.
Raster resample_rows(const Raster& in, const Weights& weights, Range rows) {
  Raster out = {static_cast<int>(weights.first.size()), rows.size(), in.channels, in.palette, {}, in.cmyk};
  const auto channels = static_cast<std::size_t>(in.channels);
  const Range used = weights.used();
  const std::size_t in_line = static_cast<std::size_t>(in.width) * channels;
  const std::size_t out_line = weights.first.size() * channels;
  const std::size_t used_line = static_cast<std::size_t>(used.size()) * channels;
  out.pixels.resize(out_line * static_cast<std::size_t>(rows.size()));
  std::vector<std::uint8_t> columns(used_line * kStripRows);
  std::vector<std::uint8_t> resampled(out_line * kStripRows);
  std::vector<std::uint8_t> beyond(out_line);
  for (int y = rows.begin; y < rows.end; y += static_cast<int>(kStripRows)) {
    std::array<const std::uint8_t*, kStripRows> from{};
    std::array<std::uint8_t*, kStripRows> to{};
    for (std::size_t r = 0; r < kStripRows; ++r) {
      // Past the end the last row is done again.
      const int row = y + static_cast<int>(r);
      const auto source = static_cast<std::size_t>(std::min(row, rows.end - 1));
      from[r] = in.pixels.data() + source * in_line + static_cast<std::size_t>(used.begin) * channels;
      to[r] = row < rows.end ? out.pixels.data() + static_cast<std::size_t>(row - rows.begin) * out_line
                             : beyond.data();
    }
    kernels().to_columns(from.data(), used_line, columns.data());
    kernels().resample_strip(columns.data(), used.begin, weights.view(), channels, resampled.data());
    kernels().to_rows(resampled.data(), out_line, to.data());
  }
  return out;
}

/// Resamples the columns of `in`, whose first row is the picture's row `first_row`: the result has
/// weights.first.size() rows.
Raster resample_columns(const Raster& in, const Weights& weights, int first_row) {
  Raster out = {in.width, static_cast<int>(weights.first.size()), in.channels, in.palette, {}, in.cmyk};
  const std::size_t line = static_cast<std::size_t>(in.width) * static_cast<std::size_t>(in.channels);
  out.pixels.resize(line * weights.first.size());
  for (std::size_t i = 0; i < weights.first.size(); ++i) {
    kernels().sum_rows(in.pixels.data() + static_cast<std::size_t>(weights.first[i] - first_row) * line, line,
                       weights.values.data() + i * static_cast<std::size_t>(weights.width), weights.count[i],
                       line, out.pixels.data() + i * line);
  }
  return out;
}

/// a * b / 255, rounded as Pillow's MULDIV255.
std::uint8_t multiply_255(int a, int b) {
  const int product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

void premultiply(Raster& raster) {
  const auto channels = static_cast<std::size_t>(raster.channels);
  for (std::size_t i = 0; i < raster.pixels.size(); i += channels) {
    const int alpha = raster.pixels[i + channels - 1];
    for (std::size_t c = 0; c + 1 < channels; ++c)
      raster.pixels[i + c] = multiply_255(raster.pixels[i + c], alpha);
  }
}

void divide_alpha(Raster& raster) {
  const auto channels = static_cast<std::size_t>(raster.channels);
  for (std::size_t i = 0; i < raster.pixels.size(); i += channels) {
    const int alpha = raster.pixels[i + channels - 1];
    if (alpha == 0 || alpha == 255) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c) {
      raster.pixels[i + c] = static_cast<std::uint8_t>(std::min(255, 255 * raster.pixels[i + c] / alpha));
    }
  }
}

/// Width and height after the resize rule.
std::pair<int, int> target_size(int width, int height, const base::InputSpec& spec) {
  const int shorter = std::min(width, height);
  if (spec.resize == base::ResizeRule::kNone) return {width, height};
  if (spec.resize == base::ResizeRule::kSquare) return {spec.size, spec.size};
  if (spec.resize == base::ResizeRule::kShorterSideAtMost && shorter <= spec.size) return {width, height};
  const int longer = static_cast<int>(static_cast<double>(spec.size) * std::max(width, height) / shorter);
  return width <= height ? std::pair(spec.size, longer) : std::pair(longer, spec.size);
}

/// The part of a resized picture that is wanted.
struct Window {
  Range columns;
  Range rows;
};

Raster crop(Raster in, const Window& window) {
  if (window.columns.size() == in.width && window.rows.size() == in.height) return in;
  Raster out = {window.columns.size(), window.rows.size(), in.channels, in.palette, {}, in.cmyk};
  const auto channels = static_cast<std::size_t>(in.channels);
  const auto line = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(out.width) * channels);
  out.pixels.reserve(static_cast<std::size_t>(line) * static_cast<std::size_t>(out.height));
  for (int y = window.rows.begin; y < window.rows.end; ++y) {
    const auto begin =
        in.pixels.begin() +
        static_cast<std::ptrdiff_t>((static_cast<std::size_t>(y) * static_cast<std::size_t>(in.width) +
                                     static_cast<std::size_t>(window.columns.begin)) *
                                    channels);
    out.pixels.insert(out.pixels.end(), begin, begin + line);
  }
  return out;
}

/// The window of what resize_bicubic or resize_bilinear makes; only what it needs is computed and held.
Raster filtered_window(Raster work, int width, int height, const Window& window, const Filter& filter) {
  QUASAR_CHECK(width > 0 && height > 0 && work.width > 0 && work.height > 0);
  if (width == work.width && height == work.height) return crop(std::move(work), window);
  const bool alpha = work.has_alpha();
  if (alpha) premultiply(work);
  const bool vertical = height != work.height;
  const Weights columns = vertical ? make_weights(work.height, height, window.rows, filter) : Weights{};
  const Range rows = vertical ? columns.used() : window.rows;
  if (width != work.width) {
    work = resample_rows(work, make_weights(work.width, width, window.columns, filter), rows);
  } else {
    work = crop(std::move(work), {window.columns, rows});
  }
  if (vertical) work = resample_columns(work, columns, rows.begin);
  if (alpha) divide_alpha(work);
  return work;
}

/// The input sample of each of the wanted output samples.
std::vector<std::size_t> nearest(int input, int output, Range wanted) {
  std::vector<std::size_t> indices;
  const double scale = static_cast<double>(input) / output;
  double position = scale * 0.5;
  // Coordinates are accumulated, not multiplied, because Pillow does so and the last bits show.
  for (int i = 0; i < wanted.end; ++i, position += scale) {
    if (i >= wanted.begin)
      indices.push_back(static_cast<std::size_t>(std::min(static_cast<int>(position), input - 1)));
  }
  return indices;
}

/// The window of what resize_nearest makes.
Raster nearest_window(const Raster& raster, int width, int height, const Window& window) {
  QUASAR_CHECK(width > 0 && height > 0 && raster.width > 0 && raster.height > 0);
  const auto columns = nearest(raster.width, width, window.columns);
  const auto rows = nearest(raster.height, height, window.rows);
  Raster out = {window.columns.size(), window.rows.size(), raster.channels, raster.palette, {}, raster.cmyk};
  const auto channels = static_cast<std::size_t>(raster.channels);
  out.pixels.reserve(rows.size() * columns.size() * channels);
  for (const std::size_t row : rows) {
    const std::uint8_t* line = raster.pixels.data() + row * static_cast<std::size_t>(raster.width) * channels;
    for (const std::size_t column : columns) {
      const std::uint8_t* pixel = line + column * channels;
      out.pixels.insert(out.pixels.end(), pixel, pixel + channels);
    }
  }
  return out;
}

Range centred(int side, int wanted) {
  const int begin = static_cast<int>(std::nearbyint((side - wanted) / 2.0));
  return {begin, begin + wanted};
}

}  // namespace

Raster resize_bicubic(Raster raster, int width, int height) {
  return filtered_window(std::move(raster), width, height, {{0, width}, {0, height}}, kBicubic);
}

Raster resize_bilinear(Raster raster, int width, int height) {
  return filtered_window(std::move(raster), width, height, {{0, width}, {0, height}}, kBilinear);
}

Raster resize_nearest(const Raster& raster, int width, int height) {
  return nearest_window(raster, width, height, {{0, width}, {0, height}});
}

RgbImage to_rgb(Raster raster) {
  RgbImage image;
  image.width = raster.width;
  image.height = raster.height;
  if (raster.channels == 3) {
    image.pixels = std::move(raster.pixels);
    return image;
  }
  const auto channels = static_cast<std::size_t>(raster.channels);
  const bool grey = raster.channels < 3;
  image.pixels.resize(static_cast<std::size_t>(raster.width) * static_cast<std::size_t>(raster.height) * 3);
  for (std::size_t i = 0; i < image.pixels.size() / 3; ++i) {
    const std::uint8_t* from = raster.pixels.data() + i * channels;
    std::uint8_t* to = image.pixels.data() + i * 3;
    const int light = raster.cmyk ? 255 - from[3] : 0;
    for (std::size_t c = 0; c < 3; ++c)
      to[c] =
          raster.cmyk ? static_cast<std::uint8_t>(light - multiply_255(from[c], light)) : from[grey ? 0 : c];
  }
  return image;
}

std::pair<int, int> fitted_size(int width, int height, const base::InputSpec& spec) {
  if (spec.fixed_shape()) return {spec.size, spec.size};
  return target_size(width, height, spec);
}

RgbImage fit(Raster raster, const base::InputSpec& spec) {
  const int width = raster.width;
  const int height = raster.height;
  return fit(std::move(raster), width, height, spec);
}

RgbImage fit(Raster raster, int picture_width, int picture_height, const base::InputSpec& spec) {
  const auto [width, height] = target_size(picture_width, picture_height, spec);
  const Window window = spec.fixed_shape() ? Window{centred(width, spec.size), centred(height, spec.size)}
                                           : Window{{0, width}, {0, height}};
  const Filter& filter = spec.filter == base::ResizeFilter::kBilinear ? kBilinear : kBicubic;
  return to_rgb(raster.palette ? nearest_window(raster, width, height, window)
                               : filtered_window(std::move(raster), width, height, window, filter));
}

RgbImage fit(RgbImage image, const base::InputSpec& spec) {
  return fit(Raster{image.width, image.height, 3, false, std::move(image.pixels)}, spec);
}

}  // namespace quasar::image
