#include "image/pdq.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
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

using Luminance = std::vector<float>;
using Frequencies = std::array<std::array<float, kFrequencies>, kFrequencies>;

/// A plane of float32, [height, width]. Its memory only grows.
struct Plane {
  int width = 0;
  int height = 0;
  Luminance values;

  void shape(int new_width, int new_height) {
    width = new_width;
    height = new_height;
    const auto needed = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    if (values.size() < needed) values.resize(needed);
  }

  float* row(int y) { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
  const float* row(int y) const { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
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

/// The picture's luminance, thinned out where it is large, with rows and columns exchanged.
void turn_luminance(const Samples& from, Plane& plane) {
  const bool thinned = from.width > kMostPixels || from.height > kMostPixels;
  const int width = thinned ? kMostPixels : from.width;
  const int height = thinned ? kMostPixels : from.height;
  const auto stride = static_cast<std::size_t>(from.stride);
  const std::size_t line = static_cast<std::size_t>(width) * stride;
  plane.shape(height, width);
  std::vector<std::size_t> from_x(static_cast<std::size_t>(width));
  for (int x = 0; x < width; ++x)
    from_x[static_cast<std::size_t>(x)] =
        static_cast<std::size_t>(std::int64_t{x} * from.width / width) * stride;
  std::vector<std::uint8_t> taken(width == from.width ? 0 : line * kStripRows);
  std::vector<std::uint8_t> columns(line * kStripRows);
  for (int top = 0; top < height; top += static_cast<int>(kStripRows)) {
    std::array<const std::uint8_t*, kStripRows> rows{};
    for (std::size_t r = 0; r < kStripRows; ++r) {
      // Past the end the last row is done again.
      const int y = std::min(top + static_cast<int>(r), height - 1);
      rows[r] = from.pixels + std::int64_t{y} * from.height / height * from.width * from.stride;
      if (taken.empty()) continue;
      std::uint8_t* to = taken.data() + r * line;
      for (const std::size_t x : from_x) {
        for (std::size_t c = 0; c < stride; ++c) *to++ = rows[r][x + c];
      }
      rows[r] = taken.data() + r * line;
    }
    kernels().to_columns(rows.data(), line, columns.data());
    kernels().luminance(columns.data(), static_cast<std::size_t>(width), stride,
                        static_cast<std::size_t>(from.green), static_cast<std::size_t>(from.blue),
                        from.weights, std::min(kStripRows, static_cast<std::size_t>(height - top)),
                        plane.values.data() + top, static_cast<std::size_t>(height));
  }
}

/// Means of `window` values along each column, of `rows`, all columns side by side.
void average_columns(const Plane& from, int window, std::span<const int> rows, Plane& to) {
  to.shape(from.width, static_cast<int>(rows.size()));
  std::vector<float> sums(static_cast<std::size_t>(from.width));
  kernels().slide(from.values.data(), static_cast<std::size_t>(from.width), from.height,
                  {window, (window + 2) / 2, rows}, sums.data(), to.values.data());
}

void turn(const Plane& from, Plane& to) {
  to.shape(from.height, from.width);
  kernels().transpose(from.values.data(), static_cast<std::size_t>(from.width),
                      static_cast<std::size_t>(from.height), to.values.data());
}

std::vector<int> all_of(int size) {
  std::vector<int> places(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) places[static_cast<std::size_t>(i)] = i;
  return places;
}

/// 64 x 64 values: a tent of means, twice along each axis, of every so many-th value. Means along rows are
/// those along the columns of the turned plane, which run side by side.
Plane downsample(Plane& plane, Plane& other) {
  Plane small;
  small.shape(kSide, kSide);
  if (plane.width == kSide && plane.height == kSide) {
    turn(plane, small);
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
  const int width = plane.height;
  const int height = plane.width;
  const auto columns = taken_of(width);
  const auto rows = taken_of(height);
  const auto distinct_columns = distinct_of(columns);
  const auto distinct_rows = distinct_of(rows);
  average_columns(plane, window_of(width), all_of(width), other);
  turn(other, plane);
  average_columns(plane, window_of(height), all_of(height), other);
  turn(other, plane);
  average_columns(plane, window_of(width), distinct_columns, other);
  turn(other, plane);
  average_columns(plane, window_of(height), distinct_rows, other);
  const auto place_of = [](const std::vector<int>& distinct, int wanted) {
    return static_cast<int>(std::lower_bound(distinct.begin(), distinct.end(), wanted) - distinct.begin());
  };
  for (std::size_t y = 0; y < rows.size(); ++y) {
    const float* const from = other.row(place_of(distinct_rows, rows[y]));
    for (std::size_t x = 0; x < columns.size(); ++x)
      small.row(static_cast<int>(y))[x] = from[place_of(distinct_columns, columns[x])];
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

/// The pixels of a large picture that are hashed.
Raster thin(const Raster& raster) {
  Raster thinned{kMostPixels, kMostPixels, raster.channels, raster.palette, {}, raster.cmyk};
  for (int y = 0; y < kMostPixels; ++y) {
    const auto row = std::int64_t{y} * raster.height / kMostPixels * raster.width;
    for (int x = 0; x < kMostPixels; ++x) {
      const auto from =
          raster.pixels.begin() + (row + std::int64_t{x} * raster.width / kMostPixels) * raster.channels;
      thinned.pixels.insert(thinned.pixels.end(), from, from + raster.channels);
    }
  }
  return thinned;
}

struct Transformed {
  Frequencies frequencies{};
  int quality = 0;
  bool too_small = true;
};

Transformed transformed(const Samples& from) {
  if (from.width < kLeastPixels || from.height < kLeastPixels) return {};
  Plane plane;
  Plane other;
  turn_luminance(from, plane);
  const auto small = downsample(plane, other);
  return {transform(small), quality_of(small), false};
}

Transformed transformed(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  QUASAR_CHECK((channels == 1 || channels == 3) && width >= 0 && height >= 0);
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(channels));
  if (channels == 3) return transformed({pixels.data(), width, height, 3, 1, 2});
  return transformed({pixels.data(), width, height, 1, 0, 0, {1.0F, 0.0F, 0.0F}});
}

Transformed transformed(const Raster& raster) {
  if (!raster.cmyk) {
    const bool grey = raster.channels < 3;
    return transformed(
        {raster.pixels.data(), raster.width, raster.height, raster.channels, grey ? 0 : 1, grey ? 0 : 2});
  }
  // Inks are mixed first, of those pixels that are looked at.
  const bool thinned = raster.width > kMostPixels || raster.height > kMostPixels;
  const auto rgb = to_rgb(thinned ? thin(raster) : raster);
  return transformed(rgb.pixels, rgb.width, rgb.height, 3);
}

std::vector<PdqHash> hashes_of(const Transformed& found, std::size_t poses) {
  std::vector<PdqHash> hashes(poses);
  if (found.too_small) return hashes;
  for (std::size_t pose = 0; pose < poses; ++pose)
    hashes[pose] = hash_of(posed(found.frequencies, static_cast<PdqPose>(pose)), found.quality);
  return hashes;
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

PdqHash pdq_hash(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  return hashes_of(transformed(pixels, width, height, channels), 1).front();
}

std::array<PdqHash, kPdqPoses> pdq_hashes(std::span<const std::uint8_t> pixels, int width, int height,
                                          int channels) {
  const auto all = hashes_of(transformed(pixels, width, height, channels), kPdqPoses);
  std::array<PdqHash, kPdqPoses> hashes{};
  std::copy(all.begin(), all.end(), hashes.begin());
  return hashes;
}

std::vector<PdqHash> pdq_hashes(const Raster& raster, std::size_t poses) {
  QUASAR_CHECK(poses == 1 || poses == kPdqPoses);
  return hashes_of(transformed(raster), poses);
}

}  // namespace quasar::image
