// Every instruction set that this machine has against plain loops, at sizes around those of vectors.
#include "image/pixel_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace quasar::image {
namespace {

using Samples = std::vector<std::uint8_t>;

constexpr std::array<std::size_t, 12> kSizes = {1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 100, 481};

Samples random_samples(std::size_t n, std::uint64_t seed) {
  base::Random random(seed);
  Samples samples(n);
  for (auto& sample : samples) sample = static_cast<std::uint8_t>(random.below(256));
  return samples;
}

std::array<const std::uint8_t*, kStripRows> rows_of(const Samples& strip, std::size_t line) {
  std::array<const std::uint8_t*, kStripRows> rows{};
  for (std::size_t r = 0; r < kStripRows; ++r) rows[r] = strip.data() + r * line;
  return rows;
}

/// Windows of random places and weights, of which many sums are out of range; some as wide as can be.
struct RandomWeights {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int> values;
  std::size_t width = 0;

  RandomWeights(std::size_t input, std::size_t outputs, std::uint64_t seed)
      : width(std::min<std::size_t>(input, 27)) {
    base::Random random(seed);
    for (std::size_t i = 0; i < outputs; ++i) {
      count.push_back(static_cast<int>(random.below(width)) + 1);
      first.push_back(static_cast<int>(random.below(input - static_cast<std::size_t>(count.back()) + 1)));
      int left = (1 << kWeightBits) + (1 << (kWeightBits - 3));
      for (std::size_t k = 0; k < width; ++k) {
        const int share = static_cast<int>(random.below(1U << (kWeightBits - 1))) - (1 << (kWeightBits - 3));
        values.push_back(std::min(share, left));
        left -= values.back();
      }
    }
  }
  AxisWeights view() const { return {first.data(), count.data(), values.data(), width, first.size()}; }
};

std::uint8_t clipped(std::int64_t sum) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> kWeightBits, 0, 255));
}

class EachInstructionSet : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    if (GetParam() >= runnable_kernels().size()) GTEST_SKIP() << "this machine has fewer instruction sets";
    RecordProperty("kernels", kernels_().name);
  }
  static const PixelKernels& kernels_() { return runnable_kernels()[GetParam()]; }
};

TEST_P(EachInstructionSet, TurnsStripsIntoColumnsAndBack) {
  for (const auto n : kSizes) {
    const auto strip = random_samples(n * kStripRows, n);
    Samples columns(n * kStripRows);
    kernels_().to_columns(rows_of(strip, n).data(), n, columns.data());
    for (std::size_t x = 0; x < n; ++x) {
      for (std::size_t r = 0; r < kStripRows; ++r)
        ASSERT_EQ(columns[x * kStripRows + r], strip[r * n + x]) << n;
    }
    Samples back(n * kStripRows);
    std::array<std::uint8_t*, kStripRows> rows{};
    for (std::size_t r = 0; r < kStripRows; ++r) rows[r] = back.data() + r * n;
    kernels_().to_rows(columns.data(), n, rows.data());
    EXPECT_EQ(back, strip) << n;
  }
}

TEST_P(EachInstructionSet, ResamplesStripsAsPlainLoopsDo) {
  for (const auto pixels : kSizes) {
    for (std::size_t channels = 1; channels <= 4; ++channels) {
      const auto columns = random_samples(pixels * channels * kStripRows, pixels + channels);
      const RandomWeights weights(pixels, 37, pixels * channels);
      constexpr int kBegin = 5;
      RandomWeights shifted = weights;
      for (auto& first : shifted.first) first += kBegin;
      Samples out(37 * channels * kStripRows);
      kernels_().resample_strip(columns.data(), kBegin, shifted.view(), channels, out.data());
      for (std::size_t i = 0; i < 37; ++i) {
        for (std::size_t c = 0; c < channels; ++c) {
          for (std::size_t r = 0; r < kStripRows; ++r) {
            std::int64_t sum = std::int64_t{1} << (kWeightBits - 1);
            for (int k = 0; k < weights.count[i]; ++k) {
              const auto x = static_cast<std::size_t>(weights.first[i] + k);
              sum += std::int64_t{columns[(x * channels + c) * kStripRows + r]} *
                     weights.values[i * weights.width + static_cast<std::size_t>(k)];
            }
            ASSERT_EQ(out[(i * channels + c) * kStripRows + r], clipped(sum))
                << pixels << " pixels, " << channels << " channels, output " << i;
          }
        }
      }
    }
  }
}

TEST_P(EachInstructionSet, SumsRowsAsPlainLoopsDo) {
  constexpr std::size_t kRows = 40;
  for (const auto n : kSizes) {
    const std::size_t stride = n + 3;
    const auto in = random_samples(stride * kRows, n);
    const RandomWeights weights(kRows, 9, n);
    for (std::size_t i = 0; i < 9; ++i) {
      Samples out(n);
      const int* const values = weights.values.data() + i * weights.width;
      const std::uint8_t* const from = in.data() + static_cast<std::size_t>(weights.first[i]) * stride;
      kernels_().sum_rows(from, stride, values, weights.count[i], n, out.data());
      for (std::size_t x = 0; x < n; ++x) {
        std::int64_t sum = std::int64_t{1} << (kWeightBits - 1);
        for (int k = 0; k < weights.count[i]; ++k)
          sum += std::int64_t{from[static_cast<std::size_t>(k) * stride + x]} * values[k];
        ASSERT_EQ(out[x], clipped(sum)) << n << ", column " << x;
      }
    }
  }
}

TEST_P(EachInstructionSet, WeighsColoursInTheOrderOfRedGreenBlue) {
  for (const std::size_t channels : {1U, 3U, 4U}) {
    const std::size_t green = channels == 1 ? 0 : 1;
    const std::size_t blue = channels == 1 ? 0 : 2;
    const auto columns = random_samples(50 * channels * kStripRows, channels);
    std::vector<float> out(50 * kStripRows, -1.0F);
    kernels_().luminance(columns.data(), 50, channels, green, blue, {0.299F, 0.587F, 0.114F}, out.data());
    for (std::size_t x = 0; x < 50; ++x) {
      for (std::size_t r = 0; r < kStripRows; ++r) {
        const auto value = [&](std::size_t c) {
          return static_cast<float>(columns[(x * channels + c) * kStripRows + r]);
        };
        const float expected = 0.299F * value(0) + 0.587F * value(green) + 0.114F * value(blue);
        ASSERT_EQ(out[x * kStripRows + r], expected);
      }
    }
  }
}

TEST_P(EachInstructionSet, TurnsStripsOfFloatsThereAndBack) {
  for (const std::size_t n : {1U, 4U, 5U, 16U, 37U, 512U}) {
    std::vector<float> in(n * kStripRows);
    std::vector<float> back(in.size(), -1.0F);
    std::iota(in.begin(), in.end(), 0.5F);
    std::array<const float*, kStripRows> rows{};
    std::array<float*, kStripRows> back_rows{};
    for (std::size_t r = 0; r < kStripRows; ++r) {
      rows[r] = in.data() + r * n;
      back_rows[r] = back.data() + r * n;
    }
    std::vector<float> columns(in.size());
    kernels_().floats_to_columns(rows.data(), n, columns.data());
    for (std::size_t x = 0; x < n; ++x) {
      for (std::size_t r = 0; r < kStripRows; ++r) ASSERT_EQ(columns[x * kStripRows + r], rows[r][x]);
    }
    kernels_().floats_to_rows(columns.data(), n, back_rows.data());
    EXPECT_EQ(back, in) << n;
  }
}

TEST_P(EachInstructionSet, SlidesMeansAsPlainLoopsDo) {
  for (const std::size_t width : {1U, 5U, 16U, 37U, 321U}) {
    for (const int height : {1, 5, 16, 64, 130}) {
      std::vector<float> in;
      for (const auto sample : random_samples(width * static_cast<std::size_t>(height), width))
        in.push_back(static_cast<float>(sample) * 0.587F + 0.1F);
      for (const int window : {1, 2, 3, 4, 8}) {
        std::vector<int> wanted;
        for (int y = 0; y < height; y += window) wanted.push_back(y);
        const SlidingMeans means{window, (window + 2) / 2, wanted};
        std::vector<float> sums(width);
        std::vector<float> out(width * wanted.size());
        kernels_().slide(in.data(), width, height, means, sums.data(), out.data());
        for (std::size_t x = 0; x < width; ++x) {
          const auto value = [&](int y) { return in[static_cast<std::size_t>(y) * width + x]; };
          float sum = 0;
          int count = 0;
          for (int y = 0; y < means.ahead - 1 && y < height; ++y, ++count) sum += value(y);
          std::size_t done = 0;
          for (int y = 0; y < height; ++y) {
            const int next = y + means.ahead - 1;
            if (next < height) {
              sum += value(next);
              ++count;
            }
            if (next - window >= 0) {
              sum -= value(next - window);
              --count;
            }
            if (y % window != 0) continue;
            ASSERT_EQ(out[done * width + x], sum / static_cast<float>(count))
                << width << "x" << height << ", window " << window << ", row " << y;
            ++done;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachInstructionSet, testing::Values(0, 1, 2));

TEST(PixelKernels, ThePortableOnesAreAlwaysThere) {
  ASSERT_FALSE(runnable_kernels().empty());
  EXPECT_STREQ(runnable_kernels().back().name, "portable");
}

}  // namespace
}  // namespace quasar::image
