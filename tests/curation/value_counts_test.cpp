#include "curation/value_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace quasar::curation {
namespace {

std::uint64_t sum(const std::vector<std::uint64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

TEST(ValueCounts, AreTheSameWhateverTheOrderAndTheParts) {
  std::vector<double> values;
  std::uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    values.push_back((static_cast<double>(state >> 11U) / 9e15 - 0.5) * (i % 7 == 0 ? 1e6 : 1.0));
  }
  ValueCounts forward;
  ValueCounts backward;
  ValueCounts odd;
  ValueCounts even;
  for (std::size_t i = 0; i < values.size(); ++i) {
    forward.add(values[i], i % 3 == 0);
    const std::size_t j = values.size() - 1 - i;
    backward.add(values[j], j % 3 == 0);
    (i % 2 == 0 ? even : odd).add(values[i], i % 3 == 0);
  }
  even.merge(ValueCounts::unpacked(odd.packed()));
  EXPECT_EQ(forward.packed(), backward.packed());
  EXPECT_EQ(forward.packed(), even.packed());
  EXPECT_EQ(forward.rows(), values.size());
  EXPECT_LE(forward.packed().size(), 1 + 3 * ValueCounts::kMostValues);
  const auto histogram = forward.histogram(30);
  EXPECT_EQ(sum(histogram.kept) + sum(histogram.dropped), values.size());
  EXPECT_FALSE(histogram.logarithmic);
}

TEST(ValueCounts, PutFewValuesIntoTheirBins) {
  ValueCounts counts;
  for (const double value : {-0.0, 0.0, 5.0, 10.0}) counts.add(value, value < 10);
  const auto histogram = counts.histogram(2);
  EXPECT_EQ(histogram.low, 0);
  EXPECT_EQ(histogram.high, 10);
  EXPECT_THAT(histogram.kept, testing::ElementsAre(2, 1));
  EXPECT_THAT(histogram.dropped, testing::ElementsAre(0, 1));
}

TEST(ValueCounts, AreLogarithmicWhereTheLargestIsFarAboveTheSmallest) {
  ValueCounts counts;
  for (const double value : {1.0, 10.0, 100.0, 1000.0}) counts.add(value, true);
  const auto histogram = counts.histogram(3);
  EXPECT_TRUE(histogram.logarithmic);
  EXPECT_EQ(sum(histogram.kept), 4U);
  EXPECT_EQ(histogram.kept[0], 1U);
}

TEST(ValueCounts, HoldValuesOfAnySize) {
  ValueCounts counts;
  for (int exponent = -300; exponent <= 300; ++exponent) {
    for (const double digit : {1.0, 1.5, 2.5, 4.0, 7.0})
      for (const double sign : {-1.0, 1.0}) counts.add(sign * digit * std::pow(10.0, exponent - 1), true);
  }
  const auto histogram = counts.histogram(30);
  EXPECT_EQ(sum(histogram.kept), 601U * 10);
}

TEST(ValueCounts, OfOneValueAreInTheMiddle) {
  ValueCounts counts;
  counts.add(3, false);
  EXPECT_THAT(counts.histogram(3).dropped, testing::ElementsAre(0, 1, 0));
}

}  // namespace
}  // namespace quasar::curation
