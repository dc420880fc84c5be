#include "image/resize.h"

#include <algorithm>
#include <cmath>

#include "base/errors.h"

namespace quasar::image {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr double kSupport = 2.0;

/// Keys' cubic with a = -0.5, as Pillow's bicubic_filter.
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

/// For each output sample: the first input sample and the integer weights.
struct Weights {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int> values;  ///< [output, width]
  int width = 0;
};

Weights make_weights(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kSupport * filter_scale;
  Weights weights;
  weights.width = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.values.assign(static_cast<std::size_t>(output) * static_cast<std::size_t>(weights.width), 0);
  std::vector<double> row(static_cast<std::size_t>(weights.width));
  for (int i = 0; i < output; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(input, static_cast<int>(center + support + 0.5)) - first;
    double sum = 0;
    for (int x = 0; x < count; ++x) {
      row[static_cast<std::size_t>(x)] = cubic((x + first - center + 0.5) * (1.0 / filter_scale));
      sum += row[static_cast<std::size_t>(x)];
    }
    for (int x = 0; x < count; ++x) {
      double weight = row[static_cast<std::size_t>(x)];
      if (sum != 0.0) weight /= sum;
      weights.values[static_cast<std::size_t>(i) * static_cast<std::size_t>(weights.width) +
                     static_cast<std::size_t>(x)] =
          static_cast<int>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
    weights.first.push_back(first);
    weights.count.push_back(count);
  }
  return weights;
}

std::uint8_t clip(int sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

/// Resamples along one axis: `lines` lines of samples `step` apart, line starts given by their stride.
Raster resample(const Raster& in, int output, bool horizontal) {
  Raster out = {horizontal ? output : in.width, horizontal ? in.height : output, in.channels, in.palette, {}};
  out.pixels.resize(static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height) *
                    static_cast<std::size_t>(out.channels));
  const Weights weights = make_weights(horizontal ? in.width : in.height, output);
  const auto channels = static_cast<std::size_t>(in.channels);
  const std::size_t in_line = static_cast<std::size_t>(in.width) * channels;
  const std::size_t out_line = static_cast<std::size_t>(out.width) * channels;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const auto i = static_cast<std::size_t>(horizontal ? x : y);
      const int* weight = weights.values.data() + i * static_cast<std::size_t>(weights.width);
      const auto first = static_cast<std::size_t>(weights.first[i]);
      const std::uint8_t* source =
          horizontal ? in.pixels.data() + static_cast<std::size_t>(y) * in_line + first * channels
                     : in.pixels.data() + first * in_line + static_cast<std::size_t>(x) * channels;
      const std::size_t step = horizontal ? channels : in_line;
      std::uint8_t* target =
          out.pixels.data() + static_cast<std::size_t>(y) * out_line + static_cast<std::size_t>(x) * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        int sum = 1 << (kPrecisionBits - 1);
        const std::uint8_t* sample = source + c;
        for (int k = 0; k < weights.count[i]; ++k, sample += step) sum += *sample * weight[k];
        target[c] = clip(sum);
      }
    }
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
  if (spec.resize == base::ResizeRule::kShorterSideAtMost && shorter <= spec.size) return {width, height};
  const int longer = static_cast<int>(static_cast<double>(spec.size) * std::max(width, height) / shorter);
  return width <= height ? std::pair(spec.size, longer) : std::pair(longer, spec.size);
}

Raster crop(const Raster& in, int left, int top, int width, int height) {
  Raster out = {width, height, in.channels, in.palette, {}};
  const auto channels = static_cast<std::size_t>(in.channels);
  for (int y = 0; y < height; ++y) {
    const auto begin =
        in.pixels.begin() +
        static_cast<std::ptrdiff_t>((static_cast<std::size_t>(top + y) * static_cast<std::size_t>(in.width) +
                                     static_cast<std::size_t>(left)) *
                                    channels);
    out.pixels.insert(out.pixels.end(), begin,
                      begin + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(width) * channels));
  }
  return out;
}

}  // namespace

Raster resize_bicubic(const Raster& raster, int width, int height) {
  QUASAR_CHECK(width > 0 && height > 0 && raster.width > 0 && raster.height > 0);
  if (width == raster.width && height == raster.height) return raster;
  const bool alpha = raster.channels == 2 || raster.channels == 4;
  Raster work = raster;
  if (alpha) premultiply(work);
  if (width != work.width) work = resample(work, width, true);
  if (height != work.height) work = resample(work, height, false);
  if (alpha) divide_alpha(work);
  return work;
}

Raster resize_nearest(const Raster& raster, int width, int height) {
  QUASAR_CHECK(width > 0 && height > 0 && raster.width > 0 && raster.height > 0);
  // Coordinates are accumulated, not multiplied, because Pillow does so and the last bits show.
  const auto sources = [](int input, int output) {
    std::vector<int> indices;
    const double scale = static_cast<double>(input) / output;
    double position = scale * 0.5;
    for (int i = 0; i < output; ++i, position += scale)
      indices.push_back(std::min(static_cast<int>(position), input - 1));
    return indices;
  };
  const auto columns = sources(raster.width, width);
  const auto rows = sources(raster.height, height);
  Raster out = {width, height, raster.channels, raster.palette, {}};
  const auto channels = static_cast<std::size_t>(raster.channels);
  for (const int row : rows) {
    for (const int column : columns) {
      const auto* pixel =
          raster.pixels.data() + (static_cast<std::size_t>(row) * static_cast<std::size_t>(raster.width) +
                                  static_cast<std::size_t>(column)) *
                                     channels;
      out.pixels.insert(out.pixels.end(), pixel, pixel + channels);
    }
  }
  return out;
}

RgbImage to_rgb(const Raster& raster) {
  RgbImage image(raster.width, raster.height);
  const auto channels = static_cast<std::size_t>(raster.channels);
  const bool grey = raster.channels < 3;
  for (std::size_t i = 0; i < image.pixels.size() / 3; ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      image.pixels[i * 3 + c] = raster.pixels[i * channels + (grey ? 0 : c)];
  }
  return image;
}

RgbImage fit(const Raster& raster, const base::InputSpec& spec) {
  return fit(raster, raster.width, raster.height, spec);
}

RgbImage fit(const Raster& raster, int picture_width, int picture_height, const base::InputSpec& spec) {
  const auto [width, height] = target_size(picture_width, picture_height, spec);
  Raster work =
      raster.palette ? resize_nearest(raster, width, height) : resize_bicubic(raster, width, height);
  if (spec.fixed_shape()) {
    const int left = static_cast<int>(std::nearbyint((work.width - spec.size) / 2.0));
    const int top = static_cast<int>(std::nearbyint((work.height - spec.size) / 2.0));
    work = crop(work, left, top, spec.size, spec.size);
  }
  return to_rgb(work);
}

RgbImage fit(const RgbImage& image, const base::InputSpec& spec) {
  return fit(Raster{image.width, image.height, 3, false, image.pixels}, spec);
}

}  // namespace quasar::image
