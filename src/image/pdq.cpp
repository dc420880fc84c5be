#include "image/pdq.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
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

float luminance_of(const std::uint8_t* pixel, int channels) {
  if (channels == 1) return pixel[0];
  return 0.299F * static_cast<float>(pixel[0]) + 0.587F * static_cast<float>(pixel[1]) +
         0.114F * static_cast<float>(pixel[2]);
}

Plane luminance_plane(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  const bool thinned = width > kMostPixels || height > kMostPixels;
  Plane plane{thinned ? kMostPixels : width, thinned ? kMostPixels : height, {}};
  plane.values.resize(static_cast<std::size_t>(plane.width) * static_cast<std::size_t>(plane.height));
  for (int y = 0; y < plane.height; ++y) {
    const auto from_y = std::int64_t{y} * height / plane.height;
    for (int x = 0; x < plane.width; ++x) {
      const auto from_x = std::int64_t{x} * width / plane.width;
      plane.row(y)[x] = luminance_of(pixels.data() + (from_y * width + from_x) * channels, channels);
    }
  }
  return plane;
}

/// Values that a mean of `window` values reaches ahead, itself included.
int reach_of(int window) {
  return (window + 2) / 2;
}

/// Means along each row of what lies around each value, over fewer at the ends. The sum runs: a value is
/// added, then one is taken away.
void blur_rows(const Plane& from, Plane& to, int window) {
  const int ahead = reach_of(window);
  for (int y = 0; y < from.height; ++y) {
    const float* const in = from.row(y);
    float* const out = to.row(y);
    float sum = 0;
    int count = 0;
    int next = 0;
    for (; next < ahead - 1; ++next, ++count) sum += in[next];
    for (int x = 0; x < from.width; ++x) {
      if (next < from.width) {
        sum += in[next++];
        ++count;
      }
      if (x + ahead - window > 0) {
        sum -= in[x + ahead - window - 1];
        --count;
      }
      out[x] = sum / static_cast<float>(count);
    }
  }
}

/// The same along each column, all of them side by side.
void blur_columns(const Plane& from, Plane& to, int window) {
  const int ahead = reach_of(window);
  const int width = from.width;
  std::vector<float> sums(static_cast<std::size_t>(width), 0.0F);
  const auto add = [&](const float* in) {
    for (int x = 0; x < width; ++x) sums[static_cast<std::size_t>(x)] += in[x];
  };
  int count = 0;
  int next = 0;
  for (; next < ahead - 1; ++next, ++count) add(from.row(next));
  for (int y = 0; y < from.height; ++y) {
    if (next < from.height) {
      add(from.row(next++));
      ++count;
    }
    if (y + ahead - window > 0) {
      const float* const in = from.row(y + ahead - window - 1);
      for (int x = 0; x < width; ++x) sums[static_cast<std::size_t>(x)] -= in[x];
      --count;
    }
    float* const out = to.row(y);
    const auto divisor = static_cast<float>(count);
    for (int x = 0; x < width; ++x) out[x] = sums[static_cast<std::size_t>(x)] / divisor;
  }
}

/// 64 x 64 values: a tent of means, twice along each axis, then every so many-th.
Plane downsample(Plane plane) {
  if (plane.width == kSide && plane.height == kSide) return plane;
  const auto window_of = [](int side) { return (side + 2 * kSide - 1) / (2 * kSide); };
  Plane other = plane;
  for (int pass = 0; pass < 2; ++pass) {
    blur_rows(plane, other, window_of(plane.width));
    blur_columns(other, plane, window_of(plane.height));
  }
  Plane small{kSide, kSide, Luminance(static_cast<std::size_t>(kSide) * kSide)};
  for (int y = 0; y < kSide; ++y) {
    const auto from_y = static_cast<int>((y + 0.5) * plane.height / kSide);
    for (int x = 0; x < kSide; ++x)
      small.row(y)[x] = plane.row(from_y)[static_cast<int>((x + 0.5) * plane.width / kSide)];
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

Transformed transformed(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  QUASAR_CHECK((channels == 1 || channels == 3) && width >= 0 && height >= 0);
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(channels));
  if (width < kLeastPixels || height < kLeastPixels) return {};
  const auto small = downsample(luminance_plane(pixels, width, height, channels));
  return {transform(small), quality_of(small), false};
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
  const auto found = transformed(pixels, width, height, channels);
  return found.too_small ? PdqHash{} : hash_of(found.frequencies, found.quality);
}

std::array<PdqHash, kPdqPoses> pdq_hashes(std::span<const std::uint8_t> pixels, int width, int height,
                                          int channels) {
  const auto found = transformed(pixels, width, height, channels);
  std::array<PdqHash, kPdqPoses> hashes{};
  if (found.too_small) return hashes;
  for (std::size_t pose = 0; pose < kPdqPoses; ++pose)
    hashes[pose] = hash_of(posed(found.frequencies, static_cast<PdqPose>(pose)), found.quality);
  return hashes;
}

}  // namespace quasar::image
