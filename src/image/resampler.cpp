#include "image/resampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/errors.h"

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

/// A kernel, and how far from its centre it ends, in samples.
struct Kernel {
  double (*value)(double);
  double support;
};
constexpr Kernel kCubic = {cubic, 2.0};
constexpr Kernel kTriangle = {triangle, 1.0};

/// The weights of the `wanted` ones among `output` samples.
Weights make_weights(int input, int output, Range wanted, const Kernel& kernel) {
  const double scale = static_cast<double>(input) / output;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
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
      row[static_cast<std::size_t>(x)] = kernel.value((x + first - center + 0.5) * (1.0 / filter_scale));
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

/// Colours multiplied by their alpha, of a row of `size` samples.
void premultiply(const std::uint8_t* from, std::size_t size, std::size_t channels, std::uint8_t* to) {
  for (std::size_t i = 0; i < size; i += channels) {
    const std::uint8_t alpha = from[i + channels - 1];
    for (std::size_t c = 0; c + 1 < channels; ++c) to[i + c] = multiply_255(from[i + c], alpha);
    to[i + channels - 1] = alpha;
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

}  // namespace

void Resampler::begin(const Raster& shape) {
  shape_ = shape;
  target_ = aim_(shape);
  QUASAR_CHECK(target_.width > 0 && target_.height > 0 && shape.width > 0 && shape.height > 0);
  const Window& window = target_.window;
  const bool horizontal = target_.width != shape.width;
  vertical_ = target_.height != shape.height && target_.filter != Filter::kNearest;
  premultiplied_ = false;
  step_ = Step::kCopy;
  used_ = window.rows;
  next_ = 0;
  held_rows_ = 0;
  if (target_.filter == Filter::kNearest) {
    step_ = Step::kChoose;
    chosen_columns_ = nearest(shape.width, target_.width, window.columns);
    chosen_rows_ = nearest(shape.height, target_.height, window.rows);
  } else if (horizontal || vertical_) {
    const Kernel& kernel = target_.filter == Filter::kBilinear ? kTriangle : kCubic;
    premultiplied_ = shape.has_alpha();
    if (vertical_) {
      down_ = make_weights(shape.height, target_.height, window.rows, kernel);
      used_ = down_.used();
    }
    if (horizontal) {
      step_ = Step::kResample;
      across_ = make_weights(shape.width, target_.width, window.columns, kernel);
    }
  }
  held_ = {window.columns.size(),
           step_ == Step::kChoose ? window.rows.size() : used_.size(),
           shape.channels,
           shape.palette,
           {},
           shape.cmyk};
  const auto channels = static_cast<std::size_t>(shape.channels);
  const std::size_t line = static_cast<std::size_t>(held_.width) * channels;
  held_.pixels.resize(line * static_cast<std::size_t>(held_.height));
  needed_ = step_ == Step::kResample ? across_.used() : window.columns;
  const std::size_t strip = static_cast<std::size_t>(needed_.size()) * channels * kStripRows;
  if (premultiplied_) multiplied_.resize(strip);
  if (step_ != Step::kResample) return;
  columns_.resize(strip);
  resampled_.resize(line * kStripRows);
  beyond_.resize(line);
}

void Resampler::rows(const std::uint8_t* const* rows, int count) {
  const int first = next_;
  next_ += count;
  if (step_ == Step::kChoose) {
    const auto channels = static_cast<std::size_t>(shape_.channels);
    const std::size_t line = chosen_columns_.size() * channels;
    for (; held_rows_ < chosen_rows_.size() && static_cast<int>(chosen_rows_[held_rows_]) < next_;
         ++held_rows_) {
      const std::uint8_t* const row = rows[static_cast<int>(chosen_rows_[held_rows_]) - first];
      std::uint8_t* to = held_.pixels.data() + held_rows_ * line;
      for (const std::size_t column : chosen_columns_)
        to = std::copy_n(row + column * channels, channels, to);
    }
    return;
  }
  const int begin = std::max(first, used_.begin);
  const int end = std::min(next_, used_.end);
  for (int y = begin; y < end; y += static_cast<int>(kStripRows))
    resample(rows + (y - first), std::min(static_cast<int>(kStripRows), end - y));
}

void Resampler::resample(const std::uint8_t* const* rows, int count) {
  const auto channels = static_cast<std::size_t>(shape_.channels);
  const std::size_t in_line = static_cast<std::size_t>(needed_.size()) * channels;
  const std::size_t line = static_cast<std::size_t>(held_.width) * channels;
  std::array<const std::uint8_t*, kStripRows> from{};
  std::array<std::uint8_t*, kStripRows> to{};
  for (std::size_t r = 0; r < kStripRows; ++r) {
    const bool there = r < static_cast<std::size_t>(count);
    // Past the end the last row is done again.
    from[r] = rows[there ? r : static_cast<std::size_t>(count) - 1] +
              static_cast<std::size_t>(needed_.begin) * channels;
    if (premultiplied_) {
      std::uint8_t* const multiplied = multiplied_.data() + (there ? r : 0) * in_line;
      if (there) premultiply(from[r], in_line, channels, multiplied);
      from[r] = multiplied;
    }
    to[r] = there ? held_.pixels.data() + (held_rows_ + r) * line : beyond_.data();
  }
  if (step_ == Step::kResample) {
    kernels().to_columns(from.data(), in_line, columns_.data());
    kernels().resample_strip(columns_.data(), needed_.begin, across_.view(), channels, resampled_.data());
    kernels().to_rows(resampled_.data(), line, to.data());
  } else {
    for (std::size_t r = 0; r < static_cast<std::size_t>(count); ++r) std::memcpy(to[r], from[r], line);
  }
  held_rows_ += static_cast<std::size_t>(count);
}

Raster Resampler::finish() {
  QUASAR_CHECK(held_rows_ == static_cast<std::size_t>(held_.height));
  Raster made = vertical_ ? resample_columns(held_, down_, used_.begin) : std::move(held_);
  held_ = {};
  if (premultiplied_) divide_alpha(made);
  return made;
}

}  // namespace quasar::image
