#include "anchors/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace quasar::anchors {
namespace {

constexpr std::size_t kDimension = 4;
constexpr std::int64_t kRows = 400;

/// Normal rows around (3, 0, 0, 0), every size()-th of them for this rank.
struct Held {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;
  explicit Held(const comm::Communicator& comm) {
    base::Random random(1);
    for (std::int64_t i = 0; i < kRows; ++i) {
      std::vector<float> row;
      for (std::size_t j = 0; j < kDimension; ++j)
        row.push_back(static_cast<float>(random.normal() + (j == 0 ? 3 : 0)));
      if (i % comm.size() != comm.rank()) continue;
      numbers.push_back(i);
      values.insert(values.end(), row.begin(), row.end());
    }
  }
};

AnchorSplit halves() {
  AnchorSplit split;
  for (std::int64_t i = 0; i < kRows; ++i) (i % 2 == 0 ? split.good : split.bad).push_back(i);
  return split;
}

DrawUnits units_of(const AnchorSplit& split) {
  DrawUnits units;
  for (const auto row : split.good) units.good.push_back(static_cast<std::uint64_t>(row));
  for (const auto row : split.bad) units.bad.push_back(static_cast<std::uint64_t>(row));
  return units;
}

DrawnCentroids drawn(const comm::Communicator& comm, Aggregation aggregation, int draws) {
  const Held held(comm);
  cluster::MemoryRows rows({held.values, held.numbers, kDimension});
  const auto split = halves();
  AggregateConfig config;
  config.aggregation = aggregation;
  config.kmeans.k = 3;
  const auto centroids = aggregate(rows, split, config, comm);
  return draw_centroids(rows, split, units_of(split), centroids, aggregation, {draws, 7}, comm);
}

TEST(Bootstrap, AnyNumberOfRanksGivesTheSameBits) {
  for (const auto aggregation : {Aggregation::kMean, Aggregation::kClustering, Aggregation::kMulti}) {
    const auto all = drawn(comm::Communicator::world(), aggregation, 5);
    const auto alone = drawn(comm::Communicator::self(), aggregation, 5);
    EXPECT_EQ(all.good, alone.good);
    EXPECT_EQ(all.bad, alone.bad);
    EXPECT_EQ(all.good.size(), 5 * kDimension * (aggregation == Aggregation::kMulti ? 3 : 1));
  }
}

TEST(Bootstrap, DrawsSpreadAsMeansDo) {
  constexpr int kDraws = 400;
  const auto all = drawn(comm::Communicator::world(), Aggregation::kMean, kDraws);
  double mean = 0;
  for (int b = 0; b < kDraws; ++b)
    mean += static_cast<double>(all.good[static_cast<std::size_t>(b) * kDimension]) / kDraws;
  double square = 0;
  for (int b = 0; b < kDraws; ++b)
    square += std::pow(static_cast<double>(all.good[static_cast<std::size_t>(b) * kDimension]) - mean, 2) /
              (kDraws - 1);
  // 200 rows of deviation 1: the mean's standard error is 1 / sqrt(200).
  EXPECT_NEAR(std::sqrt(square), 1 / std::sqrt(200.0), 0.012);
}

TEST(Bootstrap, WeightsArePoissonOfMeanOne) {
  double sum = 0;
  double square = 0;
  int zero = 0;
  constexpr int kCount = 200'000;
  for (int i = 0; i < kCount; ++i) {
    const int weight = poisson_weight(base::split_mix(static_cast<std::uint64_t>(i)));
    sum += weight;
    square += weight * weight;
    zero += weight == 0 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kCount, 1, 0.01);
  EXPECT_NEAR(square / kCount - 1, 1, 0.02);
  EXPECT_NEAR(static_cast<double>(zero) / kCount, std::exp(-1), 0.005);
  EXPECT_EQ(poisson_weight(~std::uint64_t{0}), 15);
}

}  // namespace
}  // namespace quasar::anchors
