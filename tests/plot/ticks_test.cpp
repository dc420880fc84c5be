#include "plot/ticks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace quasar::plot {
namespace {

std::vector<std::string> texts(const std::vector<Tick>& ticks) {
  std::vector<std::string> result;
  for (const auto& tick : ticks) result.push_back(tick.text);
  return result;
}

TEST(Ticks, AreRoundNumbersWithTheDigitsTheyNeed) {
  EXPECT_EQ(texts(ticks_of({}, {-0.04, 1.04}, 5)), (std::vector<std::string>{"0.0", "0.5", "1.0"}));
  EXPECT_EQ(texts(ticks_of({}, {0, 1}, 6)),
            (std::vector<std::string>{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(texts(ticks_of({}, {-1, 1}, 4)), (std::vector<std::string>{"-1.0", "-0.5", "0.0", "0.5", "1.0"}));
  EXPECT_EQ(texts(ticks_of({}, {0.91, 0.93}, 4)), (std::vector<std::string>{"0.91", "0.92", "0.93"}));
  EXPECT_EQ(texts(ticks_of({}, {0, 2e6}, 4)),
            (std::vector<std::string>{"0", "500000", "1e+06", "1.5e+06", "2e+06"}));
  Axis logarithmic;
  logarithmic.logarithmic = true;
  EXPECT_EQ(texts(ticks_of(logarithmic, {0.01, 100}, 6)),
            (std::vector<std::string>{"0.01", "0.1", "1", "10", "100"}));
  EXPECT_EQ(texts(ticks_of(logarithmic, {2, 30}, 6)), (std::vector<std::string>{"2", "5", "10", "20"}));
  Axis named;
  named.names = {"224", "512", "native"};
  EXPECT_EQ(texts(ticks_of(named, range_of(named, {1, 0}), 6)), named.names);
}

TEST(Ticks, AreTwoAtLeastWhereARoundNumberIsNear) {
  EXPECT_EQ(texts(ticks_of({}, {0, 49}, 2)), (std::vector<std::string>{"0", "20", "40"}));
  EXPECT_EQ(texts(ticks_of({}, {0, 59}, 2)), (std::vector<std::string>{"0", "50"}));
}

TEST(Ticks, AreDistinctAndWithinWhateverTheRange) {
  for (const double low : {-1e300, -1e15, -3.7, 0.0, 1e-300, 1e-9, 0.3, 123456789.0, 9.99e14}) {
    for (const double width : {0.0, 1e-300, 1e-12, 1e-3, 1.0, 7e5, 1e300}) {
      const auto range = range_of({}, {low, low + width});
      ASSERT_LT(range.low, range.high) << low << " + " << width;
      ASSERT_TRUE(std::isfinite(range.low) && std::isfinite(range.high));
      const auto ticks = ticks_of({}, range, 5);
      ASSERT_FALSE(ticks.empty()) << low << " + " << width;
      ASSERT_LE(ticks.size(), 12U);
      std::set<double> values;
      for (const auto& tick : ticks) {
        EXPECT_GE(tick.value, range.low - (range.high - range.low) * 1e-6);
        EXPECT_LE(tick.value, range.high + (range.high - range.low) * 1e-6);
        values.insert(tick.value);
      }
      EXPECT_EQ(values.size(), ticks.size());
    }
  }
}

TEST(Ticks, RangesOfOneValueAndOfNoneAreNotEmpty) {
  EXPECT_EQ(range_of({}, {5, 5}).low, 2.5);
  EXPECT_EQ(range_of({}, {5, 5}).high, 7.5);
  EXPECT_EQ(range_of({}, {0, 0}).high, 0.5);
  EXPECT_EQ(range_of({}, {1, 0}).high, 1);
  Axis given;
  given.low = 0;
  given.high = 100;
  EXPECT_EQ(range_of(given, {20, 30}).low, 0);
  EXPECT_EQ(range_of(given, {20, 30}).high, 100);
  Axis logarithmic;
  logarithmic.logarithmic = true;
  for (const Range data : {Range{1, 0}, Range{5, 5}, Range{1e-299, 1e299}}) {
    const auto range = range_of(logarithmic, data);
    EXPECT_GT(range.low, 0);
    EXPECT_LT(range.low, range.high);
    EXPECT_FALSE(ticks_of(logarithmic, range, 5).empty());
  }
}

TEST(Ticks, ShortNumbersSayWhereThereIsNone) {
  EXPECT_EQ(short_number(0.123456), "0.1235");
  EXPECT_EQ(short_number(-0.0), "0");
  EXPECT_EQ(short_number(std::nan("")), "-");
  EXPECT_EQ(short_number(std::numeric_limits<double>::infinity()), "-");
}

}  // namespace
}  // namespace quasar::plot
