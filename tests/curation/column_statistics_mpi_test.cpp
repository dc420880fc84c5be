#include "curation/column_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace quasar::curation {
namespace {

/// Statistics of columns of equal length, with the rows dealt out over the ranks.
std::vector<ColumnStatistics> survey(const std::vector<std::vector<float>>& columns,
                                     const comm::Communicator& comm) {
  ColumnSurvey result(columns.size());
  const auto each_row = [&](auto take) {
    for (std::size_t i = 0; i < columns[0].size(); ++i) {
      if (static_cast<int>(i % static_cast<std::size_t>(comm.size())) != comm.rank()) continue;
      std::vector<float> row;
      row.reserve(columns.size());
      for (const auto& column : columns) row.push_back(column[i]);
      take(row);
    }
  };
  each_row([&](const auto& row) { result.add_first(row); });
  result.end_first(comm);
  each_row([&](const auto& row) { result.add_second(row); });
  return result.end_second(comm);
}

TEST(ColumnStatistics, AreThoseOfTheSortedValuesOnAnyNumberOfRanks) {
  base::Random random(5);
  std::vector<std::vector<float>> columns(3);
  for (int i = 0; i < 1237; ++i) {
    columns[0].push_back(static_cast<float>(random.uniform()));
    columns[1].push_back(static_cast<float>(random.normal() * 1e6));
    columns[2].push_back(static_cast<float>(random.below(3)));
  }
  const auto world = comm::Communicator::world();
  const auto statistics = survey(columns, world);
  const auto alone = survey(columns, comm::Communicator::self());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    auto values = columns[c];
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value);
    const auto& found = statistics[c];
    EXPECT_EQ(found.count, values.size());
    EXPECT_EQ(found.min, static_cast<double>(values.front()));
    EXPECT_EQ(found.max, static_cast<double>(values.back()));
    const double scale = std::max(std::abs(found.min), std::abs(found.max));
    EXPECT_NEAR(found.mean, sum / static_cast<double>(values.size()), 1e-12 * scale);
    for (std::size_t q = 0; q < kQuantiles; ++q) {
      EXPECT_EQ(found.quantiles[q], static_cast<double>(values[q * (values.size() - 1) / 10]))
          << c << " " << q;
    }
    EXPECT_EQ(found.mean, alone[c].mean);
  }
}

TEST(ColumnStatistics, HoldForOneValueAndForEqualValues) {
  const auto world = comm::Communicator::world();
  const auto one = survey({{-0.25F}}, world)[0];
  EXPECT_EQ(one.count, 1U);
  EXPECT_EQ(one.mean, -0.25);
  EXPECT_EQ(one.quantiles[5], -0.25);
  const auto zeros = survey({std::vector<float>(9, 0.0F)}, world)[0];
  EXPECT_EQ(zeros.mean, 0.0);
  EXPECT_EQ(zeros.quantiles[10], 0.0);
}

TEST(ColumnStatistics, AreNotANumberWithoutRows) {
  const auto none = survey({{}}, comm::Communicator::world())[0];
  EXPECT_EQ(none.count, 0U);
  EXPECT_TRUE(std::isnan(none.mean));
  EXPECT_TRUE(std::isnan(none.quantiles[0]));
}

}  // namespace
}  // namespace quasar::curation
