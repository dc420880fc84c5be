#include "image/pdq.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "image/pixel_kernels.h"

namespace quasar::image {
namespace {

constexpr int kSide = 64;         ///< Of the picture that is transformed.
constexpr int kFrequencies = 16;  ///< Along each axis.
constexpr int kMostPixels = 512;  ///< A side; larger pictures are thinned out.
constexpr int kLeastPixels = 5;

using Frequencies = std::array<std::array<float, kFrequencies>, kFrequencies>;

/// A plane of float32, [height, width], with anything in it at first. Its memory only grows.
struct Plane {
  int width = 0;
  int height = 0;

  void shape(int new_width, int new_height) {
    width = new_width;
    height = new_height;
    const auto needed = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    if (capacity_ >= needed) return;
    values_ = std::make_unique_for_overwrite<float[]>(needed);
    capacity_ = needed;
  }

  float* row(int y) { return values_.get() + static_cast<std::ptrdiff_t>(y) * width; }
  const float* row(int y) const { return values_.get() + static_cast<std::ptrdiff_t>(y) * width; }

 private:
  std::unique_ptr<float[]> values_;  // NOLINT(modernize-avoid-c-arrays)
  std::size_t capacity_ = 0;
};

/// 8-bit pixels, of which three bytes each are a colour.
struct Samples {
  const std::uint8_t* pixels;
  int width;
  int height;
  int stride;  ///< Bytes from pixel to pixel.
  int green;   ///< Bytes from red to green; 0 where grey is all colours.
  int blue;
  ColourWeights weights = {0.299F, 0.587F, 0.114F};
};

/// Means of `window` values, at `places` alone.
struct Means {
  int window;
  std::span<const int> places;
};

/// Means along the rows of a strip of kStripRows, which run side by side, `size` values long each.
void average_strip(const float* strip, int size, const Means& means, float* to) {
  std::array<float, kStripRows> sums{};
  kernels().slide(strip, kStripRows, size, {means.window, (means.window + 2) / 2, means.places}, sums.data(),
                  to);
}

/// Means along the columns, which run side by side.
void average_columns(const Plane& from, const Means& means, Plane& to) {
  to.shape(from.width, static_cast<int>(means.places.size()));
  std::vector<float> sums(static_cast<std::size_t>(from.width));
  kernels().slide(from.row(0), static_cast<std::size_t>(from.width), from.height,
                  {means.window, (means.window + 2) / 2, means.places}, sums.data(), to.row(0));
}

/// The rows of a plane from `top` on that a strip has; past the end, those that nobody reads.
std::array<float*, kStripRows> strip_of(Plane& plane, int top, std::vector<float>& beyond) {
  beyond.resize(static_cast<std::size_t>(plane.width));
  std::array<float*, kStripRows> rows{};
  for (std::size_t r = 0; r < kStripRows; ++r) {
    const int y = top + static_cast<int>(r);
    rows[r] = y < plane.height ? plane.row(y) : beyond.data();
  }
  return rows;
}

/// The picture's luminance; with means, those along its rows.
void luminance(const Samples& from, const Means* means, Plane& plane) {
  const auto stride = static_cast<std::size_t>(from.stride);
  const std::size_t line = static_cast<std::size_t>(from.width) * stride;
  plane.shape(from.width, from.height);
  std::vector<std::uint8_t> columns(line * kStripRows);
  std::vector<float> strip(static_cast<std::size_t>(from.width) * kStripRows);
  std::vector<float> averaged(means != nullptr ? strip.size() : 0);
  std::vector<float> beyond;
  for (int top = 0; top < from.height; top += static_cast<int>(kStripRows)) {
    std::array<const std::uint8_t*, kStripRows> rows{};
    for (std::size_t r = 0; r < kStripRows; ++r) {
      // Past the end the last row is done again.
      const int y = std::min(top + static_cast<int>(r), from.height - 1);
      rows[r] = from.pixels + static_cast<std::size_t>(y) * line;
    }
    kernels().to_columns(rows.data(), line, columns.data());
    kernels().luminance(columns.data(), static_cast<std::size_t>(from.width), stride,
                        static_cast<std::size_t>(from.green), static_cast<std::size_t>(from.blue),
                        from.weights, strip.data());
    if (means != nullptr) average_strip(strip.data(), from.width, *means, averaged.data());
    kernels().floats_to_rows(means != nullptr ? averaged.data() : strip.data(),
                             static_cast<std::size_t>(from.width), strip_of(plane, top, beyond).data());
  }
}

/// Means along the rows.
void average_rows(Plane& from, const Means& means, Plane& to) {
  to.shape(static_cast<int>(means.places.size()), from.height);
  std::vector<float> strip(static_cast<std::size_t>(from.width) * kStripRows);
  std::vector<float> averaged(static_cast<std::size_t>(to.width) * kStripRows);
  std::vector<float> beyond_from;
  std::vector<float> beyond_to;
  for (int top = 0; top < from.height; top += static_cast<int>(kStripRows)) {
    const auto rows = strip_of(from, top, beyond_from);
    kernels().floats_to_columns(rows.data(), static_cast<std::size_t>(from.width), strip.data());
    average_strip(strip.data(), from.width, means, averaged.data());
    kernels().floats_to_rows(averaged.data(), static_cast<std::size_t>(to.width),
                             strip_of(to, top, beyond_to).data());
  }
}

std::vector<int> all_of(int size) {
  std::vector<int> places(static_cast<std::size_t>(size));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

/// 64 x 64 values of luminance: a tent of means, twice along each axis, of every so many-th value.
Plane downsample(const Samples& from) {
  Plane small;
  if (from.width == kSide && from.height == kSide) {
    luminance(from, nullptr, small);
    return small;
  }
  const auto window_of = [](int side) { return (side + 2 * kSide - 1) / (2 * kSide); };
  const auto taken_of = [](int side) {
    std::vector<int> taken;
    for (int i = 0; i < kSide; ++i) taken.push_back(static_cast<int>((i + 0.5) * side / kSide));
    return taken;
  };
  // Of a picture smaller than 64 pixels, places are taken several times.
  const auto distinct_of = [](std::vector<int> places) {
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
  };
  const auto columns = taken_of(from.width);
  const auto rows = taken_of(from.height);
  const auto distinct_columns = distinct_of(columns);
  const auto distinct_rows = distinct_of(rows);
  const auto all_columns = all_of(from.width);
  const auto all_rows = all_of(from.height);
  const Means along_rows{window_of(from.width), all_columns};
  const int down = window_of(from.height);
  Plane plane;
  Plane other;
  luminance(from, &along_rows, plane);
  average_columns(plane, {down, all_rows}, other);
  average_rows(other, {along_rows.window, distinct_columns}, plane);
  average_columns(plane, {down, distinct_rows}, other);
  const auto place_of = [](const std::vector<int>& distinct, int wanted) {
    return static_cast<int>(std::lower_bound(distinct.begin(), distinct.end(), wanted) - distinct.begin());
  };
  small.shape(kSide, kSide);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    const float* const line = other.row(place_of(distinct_rows, rows[y]));
    for (std::size_t x = 0; x < columns.size(); ++x)
      small.row(static_cast<int>(y))[x] = line[place_of(distinct_columns, columns[x])];
  }
  return small;
}

int quality_of(const Plane& small) {
  int sum = 0;
  const auto step = [](float a, float b) { return std::abs(static_cast<int>((a - b) * 100 / 255)); };
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      if (y + 1 < kSide) sum += step(small.row(y)[x], small.row(y + 1)[x]);
      if (x + 1 < kSide) sum += step(small.row(y)[x], small.row(y)[x + 1]);
    }
  }
  return std::min(100, sum / 90);
}

/// Rows of the discrete cosine transform, without the constant one.
const std::array<std::array<float, kSide>, kFrequencies>& cosines() {
  static const auto table = [] {
    std::array<std::array<float, kSide>, kFrequencies> rows{};
    const auto scale = static_cast<float>(std::sqrt(2.0 / kSide));
    for (int i = 0; i < kFrequencies; ++i) {
      for (int j = 0; j < kSide; ++j) {
        rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = static_cast<float>(
            static_cast<double>(scale) * std::cos(std::numbers::pi / (2 * kSide) * (i + 1) * (2 * j + 1)));
      }
    }
    return rows;
  }();
  return table;
}

/// D A D^T in float32, sums in the order of their terms.
Frequencies transform(const Plane& small) {
  const auto& d = cosines();
  std::array<std::array<float, kSide>, kFrequencies> half{};
  for (std::size_t i = 0; i < kFrequencies; ++i) {
    for (int k = 0; k < kSide; ++k) {
      const float factor = d[i][static_cast<std::size_t>(k)];
      for (std::size_t j = 0; j < kSide; ++j) half[i][j] += factor * small.row(k)[j];
    }
  }
  Frequencies result{};
  for (std::size_t i = 0; i < kFrequencies; ++i) {
    for (std::size_t j = 0; j < kFrequencies; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < kSide; ++k) sum += half[i][k] * d[j][k];
      result[i][j] = sum;
    }
  }
  return result;
}

PdqHash hash_of(const Frequencies& values, int quality) {
  std::array<float, kFrequencies * kFrequencies> sorted{};
  for (std::size_t i = 0; i < kFrequencies; ++i)
    std::copy(values[i].begin(), values[i].end(),
              sorted.begin() + static_cast<std::ptrdiff_t>(i * kFrequencies));
  // The lower one of the two in the middle.
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2 - 1);
  std::nth_element(sorted.begin(), middle, sorted.end());
  PdqHash hash;
  hash.quality = quality;
  for (std::size_t i = 0; i < kFrequencies; ++i) {
    unsigned word = 0;
    for (std::size_t j = 0; j < kFrequencies; ++j) word |= values[i][j] > *middle ? 1U << j : 0U;
    hash.words[i] = static_cast<std::uint16_t>(word);
  }
  return hash;
}

/// The frequencies of a pose: where an axis is turned round, every other one changes its sign.
Frequencies posed(const Frequencies& upright, PdqPose pose) {
  bool transposed = false;
  bool flips_first = false;   // Along the axis of i.
  bool flips_second = false;  // Along that of j.
  switch (pose) {
    case PdqPose::kUpright:
      break;
    case PdqPose::kRotate90:
      transposed = flips_second = true;
      break;
    case PdqPose::kRotate180:
      flips_first = flips_second = true;
      break;
    case PdqPose::kRotate270:
      transposed = flips_first = true;
      break;
    case PdqPose::kFlipX:
      flips_first = true;
      break;
    case PdqPose::kFlipY:
      flips_second = true;
      break;
    case PdqPose::kFlipPlus1:
      transposed = true;
      break;
    case PdqPose::kFlipMinus1:
      transposed = flips_first = flips_second = true;
      break;
  }
  Frequencies result{};
  for (std::size_t i = 0; i < kFrequencies; ++i) {
    for (std::size_t j = 0; j < kFrequencies; ++j) {
      const bool negative = (flips_first && i % 2 == 0) != (flips_second && j % 2 == 0);
      const float value = negative ? -upright[i][j] : upright[i][j];
      (transposed ? result[j][i] : result[i][j]) = value;
    }
  }
  return result;
}

struct Transformed {
  Frequencies frequencies{};
  int quality = 0;
  bool too_small = true;
};

Transformed transformed(const Samples& from) {
  const auto small = downsample(from);
  return {transform(small), quality_of(small), false};
}

/// `own_grey`: of a picture of one channel the luminance is that channel, not the sum of its shares.
Transformed transformed(const Raster& raster, bool own_grey) {
  if (raster.cmyk) {
    // Inks are mixed first.
    const auto rgb = to_rgb(raster);
    return transformed({rgb.pixels.data(), rgb.width, rgb.height, 3, 1, 2});
  }
  Samples samples{raster.pixels.data(), raster.width, raster.height, raster.channels, 1, 2};
  if (raster.channels < 3) samples.green = samples.blue = 0;
  if (own_grey && raster.channels == 1) samples.weights = {1.0F, 0.0F, 0.0F};
  return transformed(samples);
}

std::vector<PdqHash> hashes_of(const Transformed& found, std::size_t poses) {
  std::vector<PdqHash> hashes(poses);
  if (found.too_small) return hashes;
  for (std::size_t pose = 0; pose < poses; ++pose)
    hashes[pose] = hash_of(posed(found.frequencies, static_cast<PdqPose>(pose)), found.quality);
  return hashes;
}

/// The pixels at `columns` of a row, one behind the other.
template <std::size_t kChannels>
void copy_pixels(const std::uint8_t* row, const std::vector<std::size_t>& columns, std::uint8_t* to) {
  for (const std::size_t column : columns) {
    std::memcpy(to, row + column * kChannels, kChannels);
    to += kChannels;
  }
}

}  // namespace

std::string PdqHash::hex() const {
  std::string text;
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    std::array<char, 5> digits{};
    std::snprintf(digits.data(), digits.size(), "%04x", *word);
    text += digits.data();
  }
  return text;
}

int hamming_distance(const PdqHash& a, const PdqHash& b) {
  int distance = 0;
  for (std::size_t i = 0; i < a.words.size(); ++i)
    distance += std::popcount(static_cast<std::uint16_t>(a.words[i] ^ b.words[i]));
  return distance;
}

void PdqRows::begin(const Raster& shape) {
  thinned_ = shape.width > kMostPixels || shape.height > kMostPixels;
  height_ = shape.height;
  kept_ = {thinned_ ? kMostPixels : shape.width,
           thinned_ ? kMostPixels : shape.height,
           shape.channels,
           shape.palette,
           {},
           shape.cmyk};
  // A short side of a picture that is thinned out comes to have as many pixels as the long one.
  too_small_ = kept_.width < kLeastPixels || kept_.height < kLeastPixels;
  kept_.pixels.resize(static_cast<std::size_t>(kept_.width) * static_cast<std::size_t>(kept_.height) *
                      static_cast<std::size_t>(kept_.channels));
  columns_.clear();
  for (int x = 0; x < kept_.width; ++x)
    columns_.push_back(static_cast<std::size_t>(std::int64_t{x} * shape.width / kept_.width));
  next_ = 0;
  kept_rows_ = 0;
}

void PdqRows::rows(const std::uint8_t* const* rows, int count) {
  const auto channels = static_cast<std::size_t>(kept_.channels);
  const std::size_t line = columns_.size() * channels;
  const int first = next_;
  next_ += count;
  for (; kept_rows_ < kept_.height; ++kept_rows_) {
    const auto wanted = static_cast<int>(std::int64_t{kept_rows_} * height_ / kept_.height);
    if (wanted >= next_) break;
    const std::uint8_t* const from = rows[wanted - first];
    std::uint8_t* const to = kept_.pixels.data() + static_cast<std::size_t>(kept_rows_) * line;
    if (!thinned_) {
      std::copy_n(from, line, to);
      continue;
    }
    switch (channels) {
      case 1:
        copy_pixels<1>(from, columns_, to);
        break;
      case 2:
        copy_pixels<2>(from, columns_, to);
        break;
      case 3:
        copy_pixels<3>(from, columns_, to);
        break;
      default:
        copy_pixels<4>(from, columns_, to);
    }
  }
}

std::vector<PdqHash> PdqRows::hashes(std::size_t poses) const {
  QUASAR_CHECK(poses == 1 || poses == kPdqPoses);
  QUASAR_CHECK(kept_rows_ == kept_.height);
  return hashes_of(too_small_ ? Transformed{} : transformed(kept_, own_grey_), poses);
}

namespace {

std::vector<PdqHash> hashes_of_samples(std::span<const std::uint8_t> pixels, int width, int height,
                                       int channels, std::size_t poses) {
  QUASAR_CHECK((channels == 1 || channels == 3) && width >= 0 && height >= 0);
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(channels));
  PdqRows rows(true);
  rows.take_from({width, height, channels, false, {}}, pixels.data());
  return rows.hashes(poses);
}

}  // namespace

PdqHash pdq_hash(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  return hashes_of_samples(pixels, width, height, channels, 1).front();
}

std::array<PdqHash, kPdqPoses> pdq_hashes(std::span<const std::uint8_t> pixels, int width, int height,
                                          int channels) {
  const auto all = hashes_of_samples(pixels, width, height, channels, kPdqPoses);
  std::array<PdqHash, kPdqPoses> hashes{};
  std::copy(all.begin(), all.end(), hashes.begin());
  return hashes;
}

}  // namespace quasar::image
