#include "cluster/exact_sum.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace quasar::cluster {
namespace {

TEST(AddRow, RoundsEveryValueAsToFixedDoes) {
  base::Random random(3);
  for (const std::size_t n : {1U, 2U, 7U, 16U, 1000U, 1025U}) {
    for (const double magnitude : {1e-30, 1.0, 1e4, 3e38}) {
      std::vector<float> row(n);
      for (auto& value : row) value = static_cast<float>(magnitude * random.uniform(-1, 1));
      row[0] = static_cast<float>(magnitude);
      for (const std::uint64_t rows : {1U, 1000U, 1U << 30U}) {
        const FixedPointScale scale(static_cast<double>(largest_magnitude(row)), rows);
        std::vector<std::int64_t> sums(n, 5);
        add_row(row, scale, sums);
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(sums[i], 5 + scale.to_fixed(row[i]));
      }
    }
  }
}

TEST(LargestMagnitude, SeesEveryValueAndWhatIsNotFinite) {
  for (std::size_t at = 0; at < 37; ++at) {
    std::vector<float> row(37, 0.5F);
    row[at] = -2;
    EXPECT_EQ(largest_magnitude(row), 2.0F);
    row[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(std::isfinite(largest_magnitude(row)));
    row[at] = -std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(largest_magnitude(row)));
  }
  EXPECT_EQ(largest_magnitude({}), 0.0F);
}

TEST(BinnedSum, IsExactOverAllMagnitudes) {
  BinnedSum sum;
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  for (const float value : {1e30F, kTiny, -1e30F, 3.5F, kTiny, -1.25F, 0.0F}) sum.add(value);
  EXPECT_EQ(sum.value(), 2.25);
  BinnedSum small;
  for (int i = 0; i < 5; ++i) small.add(kTiny);
  small.add(std::numeric_limits<float>::min());
  EXPECT_EQ(small.value(),
            5 * static_cast<double>(kTiny) + static_cast<double>(std::numeric_limits<float>::min()));
  BinnedSum large;
  for (int i = 0; i < 3; ++i) large.add(std::numeric_limits<float>::max());
  EXPECT_EQ(large.value(), 3.0 * static_cast<double>(std::numeric_limits<float>::max()));
}

}  // namespace
}  // namespace quasar::cluster
