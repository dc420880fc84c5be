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

namespace quasar::image {
namespace {

constexpr int kSide = 64;         ///< Of the picture that is transformed.
constexpr int kFrequencies = 16;  ///< Along each axis.
constexpr int kMostPixels = 512;  ///< A side; larger pictures are thinned out.
constexpr int kLeastPixels = 5;

using Luminance = std::vector<float>;
using Frequencies = std::array<std::array<float, kFrequencies>, kFrequencies>;

/// A plane of float32, [height, width].
struct Plane {
  int width = 0;
  int height = 0;
  Luminance values;

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
};

/// A channel's part of the luminance, by value.
using Shares = std::array<float, 256>;

Shares shares_of(float weight) {
  Shares shares{};
  for (std::size_t value = 0; value < shares.size(); ++value)
    shares[value] = weight * static_cast<float>(value);
  return shares;
}

/// A plane of the picture's size, or thinned out; `at` gives a pixel's luminance.
template <typename At>
Plane plane_of(int width, int height, int stride, const At& at) {
  const bool thinned = width > kMostPixels || height > kMostPixels;
  Plane plane{thinned ? kMostPixels : width, thinned ? kMostPixels : height, {}};
  plane.values.resize(static_cast<std::size_t>(plane.width) * static_cast<std::size_t>(plane.height));
  std::vector<std::ptrdiff_t> from_x(static_cast<std::size_t>(plane.width));
  for (int x = 0; x < plane.width; ++x)
    from_x[static_cast<std::size_t>(x)] = std::int64_t{x} * width / plane.width * stride;
  for (int y = 0; y < plane.height; ++y) {
    const auto row = std::int64_t{y} * height / plane.height * width * stride;
    float* const out = plane.row(y);
    for (int x = 0; x < plane.width; ++x) out[x] = at(row + from_x[static_cast<std::size_t>(x)]);
  }
  return plane;
}

Plane luminance_plane(const Samples& from) {
  static const Shares red = shares_of(0.299F);
  static const Shares green = shares_of(0.587F);
  static const Shares blue = shares_of(0.114F);
  return plane_of(from.width, from.height, from.stride, [&](std::ptrdiff_t place) {
    const std::uint8_t* const pixel = from.pixels + place;
    return red[pixel[0]] + green[pixel[from.green]] + blue[pixel[from.blue]];
  });
}

/// Where a mean of `window` values begins and ends, along an axis of `size`.
struct Window {
  int window;
  int size;

  /// Values that a mean reaches ahead, itself included.
  int ahead() const { return (window + 2) / 2; }
  /// Number of values of the mean at `x`.
  int count(int x) const { return std::min(x + ahead(), size) - std::max(x + ahead() - window, 0); }
};

std::vector<int> all_of(int size) {
  std::vector<int> places(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) places[static_cast<std::size_t>(i)] = i;
  return places;
}

/// Means along each row of what lies around each of `columns`, over fewer at the ends. The sum runs: a value
/// is added, then one is taken away. Several rows side by side, as each sum waits for the one before.
void blur_rows(const Plane& from, Plane& to, int window, std::span<const int> columns) {
  constexpr int kTogether = 8;
  const Window means{window, from.width};
  const int ahead = means.ahead();
  std::vector<float> divisors;
  for (const int x : columns) divisors.push_back(static_cast<float>(means.count(x)));
  to = {static_cast<int>(columns.size()), from.height, {}};
  to.values.resize(columns.size() * static_cast<std::size_t>(from.height));
  std::vector<float> sums(static_cast<std::size_t>(kTogether * from.width));
  for (int y = 0; y < from.height; y += kTogether) {
    std::array<const float*, kTogether> in{};
    std::array<float, kTogether> sum{};
    // Past the end the last row is done again.
    for (int r = 0; r < kTogether; ++r)
      in[static_cast<std::size_t>(r)] = from.row(std::min(y + r, from.height - 1));
    for (int x = 0; x < ahead - 1; ++x) {
      for (std::size_t r = 0; r < kTogether; ++r) sum[r] += in[r][x];
    }
    for (int x = 0; x < from.width; ++x) {
      const int next = x + ahead - 1;
      const int last = x + ahead - window - 1;
      if (next < from.width) {
        for (std::size_t r = 0; r < kTogether; ++r) sum[r] += in[r][next];
      }
      if (last >= 0) {
        for (std::size_t r = 0; r < kTogether; ++r) sum[r] -= in[r][last];
      }
      for (std::size_t r = 0; r < kTogether; ++r)
        sums[r * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(x)] = sum[r];
    }
    for (int r = 0; r < std::min(kTogether, from.height - y); ++r) {
      const float* const all = sums.data() + static_cast<std::ptrdiff_t>(r) * from.width;
      float* const out = to.row(y + r);
      for (std::size_t i = 0; i < columns.size(); ++i) out[i] = all[columns[i]] / divisors[i];
    }
  }
}

/// The same along each column, of `rows`, all columns side by side.
void blur_columns(const Plane& from, Plane& to, int window, std::span<const int> rows) {
  const Window means{window, from.height};
  const int ahead = means.ahead();
  const int width = from.width;
  to = {width, static_cast<int>(rows.size()), {}};
  to.values.resize(static_cast<std::size_t>(width) * rows.size());
  std::vector<float> sums(static_cast<std::size_t>(width), 0.0F);
  const auto add = [&](const float* in) {
    for (int x = 0; x < width; ++x) sums[static_cast<std::size_t>(x)] += in[x];
  };
  for (int y = 0; y < ahead - 1; ++y) add(from.row(y));
  int done = 0;
  for (int y = 0; y < from.height && done < to.height; ++y) {
    if (y + ahead - 1 < from.height) add(from.row(y + ahead - 1));
    if (const int last = y + ahead - window - 1; last >= 0) {
      const float* const in = from.row(last);
      for (int x = 0; x < width; ++x) sums[static_cast<std::size_t>(x)] -= in[x];
    }
    if (rows[static_cast<std::size_t>(done)] != y) continue;
    float* const out = to.row(done++);
    const auto divisor = static_cast<float>(means.count(y));
    for (int x = 0; x < width; ++x) out[x] = sums[static_cast<std::size_t>(x)] / divisor;
  }
}

/// 64 x 64 values: a tent of means, twice along each axis, of every so many-th value.
Plane downsample(Plane plane) {
  if (plane.width == kSide && plane.height == kSide) return plane;
  const auto window_of = [](int side) { return (side + 2 * kSide - 1) / (2 * kSide); };
  const auto taken_of = [](int side) {
    std::vector<int> taken;
    for (int i = 0; i < kSide; ++i) taken.push_back(static_cast<int>((i + 0.5) * side / kSide));
    return taken;
  };
  const int across = window_of(plane.width);
  const int down = window_of(plane.height);
  const auto columns = taken_of(plane.width);
  const auto rows = taken_of(plane.height);
  Plane other;
  blur_rows(plane, other, across, all_of(plane.width));
  blur_columns(other, plane, down, all_of(plane.height));
  // Of a picture smaller than 64 pixels, columns are taken several times.
  blur_rows(plane, other, across, columns);
  std::vector<int> distinct = rows;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  blur_columns(other, plane, down, distinct);
  Plane small{kSide, kSide, Luminance(static_cast<std::size_t>(kSide) * kSide)};
  for (int y = 0, from = 0; y < kSide; ++y) {
    while (distinct[static_cast<std::size_t>(from)] != rows[static_cast<std::size_t>(y)]) ++from;
    std::copy_n(plane.row(from), kSide, small.row(y));
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

Transformed transformed(Plane plane) {
  if (plane.values.empty()) return {};
  const auto small = downsample(std::move(plane));
  return {transform(small), quality_of(small), false};
}

/// Empty for a picture that is too small to hash.
Plane plane_of(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  QUASAR_CHECK((channels == 1 || channels == 3) && width >= 0 && height >= 0);
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(channels));
  if (width < kLeastPixels || height < kLeastPixels) return {};
  if (channels == 3) return luminance_plane({pixels.data(), width, height, 3, 1, 2});
  return plane_of(width, height, 1, [&](std::ptrdiff_t place) {
    return static_cast<float>(pixels[static_cast<std::size_t>(place)]);
  });
}

Plane plane_of(const Raster& raster) {
  if (raster.width < kLeastPixels || raster.height < kLeastPixels) return {};
  if (!raster.cmyk) {
    const bool grey = raster.channels < 3;
    return luminance_plane(
        {raster.pixels.data(), raster.width, raster.height, raster.channels, grey ? 0 : 1, grey ? 0 : 2});
  }
  // Inks are mixed first, of those pixels that are looked at.
  const bool thinned = raster.width > kMostPixels || raster.height > kMostPixels;
  const auto rgb = to_rgb(thinned ? thin(raster) : raster);
  return plane_of(rgb.pixels, rgb.width, rgb.height, 3);
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
  return hashes_of(transformed(plane_of(pixels, width, height, channels)), 1).front();
}

std::array<PdqHash, kPdqPoses> pdq_hashes(std::span<const std::uint8_t> pixels, int width, int height,
                                          int channels) {
  const auto all = hashes_of(transformed(plane_of(pixels, width, height, channels)), kPdqPoses);
  std::array<PdqHash, kPdqPoses> hashes{};
  std::copy(all.begin(), all.end(), hashes.begin());
  return hashes;
}

std::vector<PdqHash> pdq_hashes(const Raster& raster, std::size_t poses) {
  QUASAR_CHECK(poses == 1 || poses == kPdqPoses);
  return hashes_of(transformed(plane_of(raster)), poses);
}

}  // namespace quasar::image
