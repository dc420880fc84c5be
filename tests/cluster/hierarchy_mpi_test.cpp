#include "cluster/hierarchy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <numeric>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "cluster/kmeans_memory.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

constexpr std::size_t kDimension = 8;

/// This rank's part of rows that are the same on any number of ranks, most of them in one crowd.
struct Rows {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;

  Rows(const comm::Communicator& comm, std::size_t count, std::uint64_t seed = 3) {
    base::Random random(seed);
    for (std::size_t i = 0; i < count; ++i) {
      const bool mine = static_cast<int>(i / 5 % static_cast<std::size_t>(comm.size())) == comm.rank();
      if (mine) numbers.push_back(static_cast<std::int64_t>(i));
      const bool crowd = random.below(10) < 8;
      for (std::size_t j = 0; j < kDimension; ++j) {
        const auto value = static_cast<float>(random.normal() * (crowd ? 0.2 : 2));
        if (mine) values.push_back(value);
      }
    }
  }
  LocalRows local() const { return {values, numbers, kDimension}; }
};

struct SharedFolder {
  test::ScratchFolder own;
  std::string path = own.path().string();
  explicit SharedFolder(const comm::Communicator& comm) { comm.broadcast(path); }
  std::filesystem::path operator/(const std::string& name) const {
    return std::filesystem::path(path) / name;
  }
};

Hierarchy clustered(const Rows& rows, const HierarchyConfig& config, const comm::Communicator& comm,
                    const KMeansRuntime& runtime = {}) {
  MemoryRows source(rows.local());
  return cluster_hierarchy(source, config, comm, runtime);
}

void expect_same_levels(const Hierarchy& a, const Hierarchy& b) {
  ASSERT_EQ(a.levels.size(), b.levels.size());
  for (std::size_t l = 0; l < a.levels.size(); ++l) {
    EXPECT_EQ(a.levels[l].centroids, b.levels[l].centroids) << l;
    EXPECT_EQ(a.levels[l].parents, b.levels[l].parents) << l;
    EXPECT_EQ(a.levels[l].sizes, b.levels[l].sizes) << l;
  }
}

const HierarchyConfig kConfig{
    .levels = {40, 9, 3}, .resampling = {{2, 3}, {1, 2}, {1, 1}}, .iterations = 8, .seed = 5};

TEST(Hierarchy, IsTheSameOnAnyNumberOfRanks) {
  const auto world = comm::Communicator::world();
  const auto self = comm::Communicator::self();
  const Rows all(self, 500);
  const auto one = clustered(all, kConfig, self);
  const Rows mine(world, 500);
  const auto many = clustered(mine, kConfig, world);
  expect_same_levels(one, many);
  for (std::size_t i = 0; i < mine.numbers.size(); ++i)
    EXPECT_EQ(many.labels[i], one.labels[static_cast<std::size_t>(mine.numbers[i])]);
}

TEST(Hierarchy, EveryLevelAssignsWhatIsBelowToItsNearestCentroid) {
  const auto self = comm::Communicator::self();
  const Rows rows(self, 300);
  const auto found = clustered(rows, kConfig, self);
  ASSERT_EQ(found.levels.size(), 3U);
  std::vector<std::int64_t> labels(300);
  std::vector<float> distances(300);
  assign(rows.values, found.levels[0].centroids, kDimension, labels, distances);
  EXPECT_TRUE(std::ranges::equal(labels, found.labels));
  for (std::size_t l = 0; l < 3; ++l) {
    EXPECT_EQ(std::accumulate(found.levels[l].sizes.begin(), found.levels[l].sizes.end(), std::int64_t{0}),
              300);
    if (l == 2) continue;
    const std::size_t k = found.levels[l].sizes.size();
    labels.resize(k);
    distances.resize(k);
    assign(found.levels[l].centroids, found.levels[l + 1].centroids, kDimension, labels, distances);
    EXPECT_TRUE(std::ranges::equal(labels, found.levels[l].parents));
  }
  EXPECT_TRUE(found.levels[2].parents.empty());
}

TEST(Hierarchy, ResamplingClustersTheRowsNearestEachCentroid) {
  const auto world = comm::Communicator::world();
  const auto self = comm::Communicator::self();
  const Rows all(self, 400);
  const HierarchyConfig config{.levels = {12}, .resampling = {{1, 4}}, .iterations = 6, .seed = 9};
  // By hand: one k-means, of each cluster the four nearest (ties by number), another k-means on these.
  const auto first = kmeans(all.local(), {.k = 12, .iterations = 6, .seed = 9}, self);
  std::vector<std::int64_t> labels(400);
  std::vector<float> distances(400);
  assign(all.values, first.centroids, kDimension, labels, distances);
  Rows chosen(self, 0);
  for (std::int64_t i = 0; i < 400; ++i) {
    const auto at = static_cast<std::size_t>(i);
    int nearer = 0;
    for (std::size_t j = 0; j < 400; ++j) {
      if (labels[j] == labels[at] && std::pair(distances[j], j) < std::pair(distances[at], at)) ++nearer;
    }
    if (nearer >= 4) continue;
    chosen.numbers.push_back(i);
    const auto row = all.local().row(at);
    chosen.values.insert(chosen.values.end(), row.begin(), row.end());
  }
  const auto second = kmeans(chosen.local(), {.k = 12, .iterations = 6, .seed = 10}, self);
  EXPECT_EQ(clustered(Rows(world, 400), config, world).levels[0].centroids, second.centroids);
  EXPECT_NE(first.centroids, second.centroids);
}

TEST(Hierarchy, GoesOnAfterAStopInAnyKMeans) {
  const auto world = comm::Communicator::world();
  const SharedFolder folder(world);
  const Rows rows(world, 300);
  const auto expected = clustered(rows, kConfig, world);
  int stops = 0;
  KMeansRuntime runtime{.checkpoint = folder / "state"};
  for (bool done = false; !done;) {
    // Stops after every eleventh iteration.
    int asked = 0;
    runtime.stop_requested = [&] { return ++asked == 11; };
    try {
      expect_same_levels(clustered(rows, kConfig, world, runtime), expected);
      done = true;
    } catch (const base::Error& error) {
      ASSERT_EQ(error.code(), base::ExitCode::kInterrupted) << error.what();
      ASSERT_LT(++stops, 40);
    }
  }
  EXPECT_GE(stops, 2);
  // All is known then.
  runtime.stop_requested = [] { return true; };
  expect_same_levels(clustered(rows, kConfig, world, runtime), expected);
}

TEST(Hierarchy, StreamedRowsGiveTheSame) {
  const auto world = comm::Communicator::world();
  const Rows rows(world, 3000);
  class Streamed final : public RowSource {
   public:
    explicit Streamed(const LocalRows& rows) : rows_(rows) {}
    std::size_t dimension() const override { return rows_.dimension(); }
    std::int64_t size() const override { return rows_.size(); }
    void read(std::int64_t first, std::int64_t count, std::span<float> values,
              std::span<std::int64_t> numbers) override {
      rows_.read(first, count, values, numbers);
    }

   private:
    MemoryRows rows_;
  };
  Streamed source(rows.local());
  const KMeansRuntime runtime{.memory_bytes = least_kmeans_memory(kDimension, 40, 2), .threads = 2};
  expect_same_levels(cluster_hierarchy(source, kConfig, world, runtime), clustered(rows, kConfig, world));
}

TEST(Hierarchy, RowsThatAreNotFiniteAreInNoCluster) {
  const auto world = comm::Communicator::world();
  Rows rows(world, 200);
  if (world.is_root()) rows.values[2 * kDimension] = std::numeric_limits<float>::quiet_NaN();
  const auto found = clustered(rows, kConfig, world);
  EXPECT_EQ(std::ranges::count(found.labels, -1), world.is_root() ? 1 : 0);
  if (world.is_root()) {
    EXPECT_EQ(found.labels[2], -1);
  }
  EXPECT_EQ(std::accumulate(found.levels[2].sizes.begin(), found.levels[2].sizes.end(), std::int64_t{0}),
            199);
}

TEST(Hierarchy, EqualRowsEndResampling) {
  const auto world = comm::Communicator::world();
  Rows rows(world, 60);
  std::ranges::fill(rows.values, 1.0F);
  const auto found = clustered(rows, {.levels = {5, 2}, .resampling = {{3, 2}}, .iterations = 4}, world);
  EXPECT_EQ(std::ranges::count(found.levels[0].sizes, 60), 1);
}

TEST(Hierarchy, MoreClustersThanRowsIsAnInputError) {
  const auto world = comm::Communicator::world();
  try {
    clustered(Rows(world, 20), kConfig, world);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
  }
}

}  // namespace
}  // namespace quasar::cluster
