#include "store/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace quasar::store {
namespace {

TEST(Half, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float value = from_half(static_cast<std::uint16_t>(half));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(from_half(to_half(value))));
    } else {
      EXPECT_EQ(to_half(value), half);
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (std::uint16_t half = 0; half < 0x7BFF; ++half) {
    const auto above = static_cast<std::uint16_t>(half + 1);
    const float middle = 0.5F * (from_half(half) + from_half(above));
    EXPECT_EQ(to_half(middle), half % 2 == 0 ? half : above);
    EXPECT_EQ(to_half(std::nextafter(middle, 0.0F)), half);
    EXPECT_EQ(to_half(std::nextafter(middle, 1e9F)), above);
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(to_half(1.0F), 0x3C00);
  EXPECT_EQ(to_half(-2.0F), 0xC000);
  EXPECT_EQ(to_half(65504.0F), 0x7BFF);
  EXPECT_EQ(to_half(65520.0F), 0x7C00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_EQ(to_half(1e-10F), 0);
}

}  // namespace
}  // namespace quasar::store
