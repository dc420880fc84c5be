#include "cluster/kmeans.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "cluster/exact_sum.h"
#include "cluster/kmeans_memory.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

constexpr std::size_t kDimension = 24;

/// Rows of a mixture, the same on every rank.
std::vector<float> mixture(std::size_t rows, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<float> values(rows * kDimension);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto center = static_cast<double>(random.below(6));
    for (std::size_t j = 0; j < kDimension; ++j) {
      values[i * kDimension + j] =
          static_cast<float>(std::sin(center * static_cast<double>(j + 1)) + 0.4 * random.normal());
    }
  }
  return values;
}

struct Part {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;
};

/// The rows that `rank` of `ranks` holds: uneven, interleaved blocks.
Part part_of(const std::vector<float>& values, int rank, int ranks) {
  Part part;
  for (std::size_t i = 0; i < values.size() / kDimension; ++i) {
    if (static_cast<int>(i / 7 * i % static_cast<std::size_t>(ranks)) != rank) continue;
    part.numbers.push_back(static_cast<std::int64_t>(i));
    part.values.insert(part.values.end(), values.begin() + static_cast<std::ptrdiff_t>(i * kDimension),
                       values.begin() + static_cast<std::ptrdiff_t>((i + 1) * kDimension));
  }
  return part;
}

KMeansResult alone(const std::vector<float>& values, const KMeansConfig& config) {
  const Part all = part_of(values, 0, 1);
  return kmeans({all.values, all.numbers, kDimension}, config, comm::Communicator::self());
}

KMeansResult together(const std::vector<float>& values, const KMeansConfig& config) {
  const auto world = comm::Communicator::world();
  const Part mine = part_of(values, world.rank(), world.size());
  return kmeans({mine.values, mine.numbers, kDimension}, config, world);
}

TEST(KMeans, IsBitIdenticalForAnyNumberOfRanks) {
  const auto values = mixture(1000, 5);
  const KMeansConfig config{.k = 6, .iterations = 10};
  const auto one = alone(values, config);
  const auto many = together(values, config);
  EXPECT_EQ(one.centroids, many.centroids);
  EXPECT_EQ(one.sizes, many.sizes);
  ASSERT_EQ(one.iterations.size(), many.iterations.size());
  for (std::size_t i = 0; i < one.iterations.size(); ++i) {
    EXPECT_EQ(one.iterations[i].objective, many.iterations[i].objective);
    if (i == 0) continue;
    EXPECT_LE(one.iterations[i].objective, one.iterations[i - 1].objective * (1 + 1e-6));
  }
}

TEST(KMeans, LeavesOutRowsThatAreNotFiniteAndCountsThem) {
  auto values = mixture(300, 6);
  auto poisoned = values;
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  // The same rows with three bad ones in between give the same clusters.
  for (const std::size_t at : {std::size_t{250}, std::size_t{100}, std::size_t{0}}) {
    std::vector<float> row(kDimension, 0.0F);
    row[at % kDimension] = bad[at % 2];
    row[1] = bad[at / 100 % 2];
    poisoned.insert(poisoned.begin() + static_cast<std::ptrdiff_t>(at * kDimension), row.begin(), row.end());
  }
  const KMeansConfig config{.k = 4, .iterations = 8};
  const auto result = together(poisoned, config);
  EXPECT_EQ(result.rows_not_finite, 3);
  EXPECT_EQ(result.rows_used, 300);
  EXPECT_EQ(result.centroids, alone(values, config).centroids);
}

TEST(KMeans, RepairsEmptyClustersTheSameWayEverywhere) {
  // Ten copies of one row and two others: start rows coincide, so clusters lose all rows.
  std::vector<float> values(12 * kDimension, 1.0F);
  for (std::size_t j = 0; j < kDimension; ++j) {
    values[3 * kDimension + j] = 5.0F;
    values[8 * kDimension + j] = -7.0F;
  }
  const KMeansConfig config{.k = 3, .iterations = 12};
  const auto many = together(values, config);
  EXPECT_EQ(many.centroids, alone(values, config).centroids);
  EXPECT_EQ(many.iterations.back().objective, 0.0);
  EXPECT_EQ(std::accumulate(many.sizes.begin(), many.sizes.end(), std::int64_t{0}), 12);
  for (const auto size : many.sizes) EXPECT_GT(size, 0);
}

void expect_same(const KMeansResult& a, const KMeansResult& b) {
  EXPECT_EQ(a.centroids, b.centroids);
  EXPECT_EQ(a.sizes, b.sizes);
  ASSERT_EQ(a.iterations.size(), b.iterations.size());
  for (std::size_t i = 0; i < a.iterations.size(); ++i) {
    EXPECT_EQ(a.iterations[i].objective, b.iterations[i].objective);
    EXPECT_EQ(a.iterations[i].imbalance, b.iterations[i].imbalance);
    EXPECT_EQ(a.iterations[i].empty, b.iterations[i].empty);
  }
}

TEST(KMeans, RowsThatAreNotSearchedForChangeNoBit) {
  const auto world = comm::Communicator::world();
  struct Case {
    const char* name;
    std::vector<float> values;
    int k;
  };
  // Values 0 and 1 only: many equal rows, and rows exactly between two centroids.
  auto coarse = mixture(1500, 11);
  for (std::size_t i = 0; i < coarse.size(); ++i) {
    coarse[i] = i % kDimension < 5 && coarse[i] > 0.3F ? 1.0F : 0.0F;
  }
  auto offset = mixture(1500, 12);
  for (auto& value : offset) value += 3000;
  auto tiny = mixture(800, 13);
  for (auto& value : tiny) value *= 1e-21F;
  auto huge = mixture(800, 14);
  for (auto& value : huge) value *= 1e18F;
  for (const auto& [name, values, k] :
       {Case{"mixture", mixture(3000, 5), 6}, Case{"many clusters", mixture(3000, 6), 40},
        Case{"equal rows and ties", coarse, 30}, Case{"far from zero", offset, 12}, Case{"tiny", tiny, 6},
        Case{"huge", huge, 6}, Case{"one cluster", mixture(500, 7), 1}}) {
    SCOPED_TRACE(name);
    const KMeansConfig config{.k = k, .iterations = 25};
    const Part mine = part_of(values, world.rank(), world.size());
    const LocalRows rows{mine.values, mine.numbers, kDimension};
    const auto plain = kmeans(rows, config, world, {}, {.threads = 2, .bounds = false});
    const auto bounded = kmeans(rows, config, world, {}, {.threads = 2});
    expect_same(bounded, plain);
    for (const auto& iteration : plain.iterations) EXPECT_EQ(iteration.searched, plain.rows_used);
    EXPECT_EQ(bounded.iterations.front().searched, plain.rows_used);
    for (const auto& iteration : bounded.iterations) EXPECT_LE(iteration.searched, plain.rows_used);
  }
}

TEST(KMeans, RowsWhoseLabelIsCertainAreNotSearchedForAgain) {
  // Late iterations move the centroids little.
  const auto result = together(mixture(3000, 5), {.k = 6, .iterations = 25});
  EXPECT_EQ(result.iterations.front().searched, 3000);
  EXPECT_LT(result.iterations.back().searched, 2400);
}

TEST(KMeans, BoundsThatTheLimitHasNoRoomForAreLeftOut) {
  const auto world = comm::Communicator::world();
  const auto values = mixture(3000, 16);
  const Part mine = part_of(values, world.rank(), world.size());
  const auto n = static_cast<std::int64_t>(mine.numbers.size());
  const KMeansConfig config{.k = 6, .iterations = 10};
  const auto free = kmeans_memory(n, kDimension, config.k, 1, 0);
  EXPECT_GE(free.bounds, 8U * mine.numbers.size());
  // Exactly the rows: nothing is left for bounds.
  const auto tight = kmeans_memory(n, kDimension, config.k, 1, free.total() - free.bounds);
  EXPECT_FALSE(tight.streamed);
  EXPECT_EQ(tight.bounds, 0U);
  EXPECT_EQ(kmeans_memory(n, kDimension, config.k, 1, free.total()).bounds, free.bounds);
  const LocalRows rows{mine.values, mine.numbers, kDimension};
  const std::uint64_t none = least_kmeans_memory(kDimension, config.k, 1);
  const auto small = kmeans(rows, config, world, {}, {.memory_bytes = none, .threads = 1});
  expect_same(small, kmeans(rows, config, world));
}

TEST(KMeans, MoreClustersThanRowsIsAnInputError) {
  try {
    together(mixture(5, 1), {.k = 6});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
  }
}

TEST(ExactSum, DoesNotDependOnOrderAndIsAccurate) {
  const auto values = mixture(4000, 9);
  double largest = 0;
  for (const float v : values) largest = std::max(largest, static_cast<double>(std::fabs(v)));
  const FixedPointScale scale(largest, values.size());
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  long double exact = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    forward += scale.to_fixed(values[i]);
    backward += scale.to_fixed(values[values.size() - 1 - i]);
    exact += static_cast<long double>(values[i]);
  }
  EXPECT_EQ(forward, backward);
  EXPECT_NEAR(scale.to_double(forward), static_cast<double>(exact), 1e-7);
}

/// Start rows, sample and centroids of FAISS itself.
TEST(KMeans, ReproducesFaissOnGoldenData) {
  const test::SafetensorsReader io(test::test_file("golden/aggregation/io.safetensors"));
  struct Case {
    std::string tag;
    std::string rows;
    int k;
    int iterations;
    std::int64_t most;
  };
  for (const auto& [tag, source, k, iterations, most] :
       {Case{"nr_cluster_k4", "nr_ava_embeddings", 4, 20, 0},
        Case{"nr_cluster_k10", "nr_ava_embeddings", 10, 25, 0},
        Case{"nr_cluster_k4_ratio0.5", "nr_ava_embeddings", 4, 20, 0},
        Case{"nr_large_cluster_k2_subsampled", "nr_ava_large_embeddings", 2, 15, 256}}) {
    const auto rows = io.values<float>(source);
    const auto d = static_cast<std::size_t>(io.shape(source)[1]);
    for (const std::string side : {"ref", "dist"}) {
      const auto used = io.values<std::int64_t>(tag + ".used_" + side + "_indices");
      std::vector<float> values;
      std::vector<std::int64_t> numbers;
      const auto world = comm::Communicator::world();
      for (std::size_t i = 0; i < used.size(); ++i) {
        if (static_cast<int>(i) % world.size() != world.rank()) continue;
        numbers.push_back(static_cast<std::int64_t>(i));
        const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(used[i]) * d);
        values.insert(values.end(), begin, begin + static_cast<std::ptrdiff_t>(d));
      }
      const auto prefix = tag + ".kmeans_" + side;
      if (most > 0) {
        auto sample = faiss_permutation(static_cast<std::int64_t>(used.size()), 1234);
        sample.resize(static_cast<std::size_t>(most * k));
        EXPECT_EQ(sample, io.values<std::int64_t>(prefix + "_subsample_rows"));
      }
      const auto result =
          kmeans({values, numbers, d},
                 {.k = k, .iterations = iterations, .seed = 1234, .max_points_per_centroid = most}, world);
      const auto expected = io.values<float>(prefix + "_faiss_centroids");
      ASSERT_EQ(result.centroids.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(result.centroids[i], expected[i], 1e-6) << prefix << " value " << i;
      }
    }
  }
}

}  // namespace
}  // namespace quasar::cluster
