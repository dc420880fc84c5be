#include "cluster/kmeans_checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "cluster/kmeans.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

constexpr std::size_t kDimension = 12;

struct Rows {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;

  Rows(const comm::Communicator& comm, std::uint64_t seed, std::size_t count = 800) {
    base::Random random(seed);
    for (std::size_t i = 0; i < count; ++i) {
      const bool mine = static_cast<int>(i % static_cast<std::size_t>(comm.size())) == comm.rank();
      if (mine) numbers.push_back(static_cast<std::int64_t>(i));
      for (std::size_t j = 0; j < kDimension; ++j) {
        const auto value = static_cast<float>(random.normal());
        if (mine) values.push_back(value);
      }
    }
  }
  LocalRows local() const { return {values, numbers, kDimension}; }
};

/// A folder of root's, the same on every rank.
struct SharedFolder {
  test::ScratchFolder own;
  std::string path = own.path().string();
  explicit SharedFolder(const comm::Communicator& comm) { comm.broadcast(path); }
  std::filesystem::path operator/(const std::string& name) const {
    return std::filesystem::path(path) / name;
  }
};

void expect_same(const KMeansResult& a, const KMeansResult& b) {
  EXPECT_EQ(a.centroids, b.centroids);
  EXPECT_EQ(a.sizes, b.sizes);
  EXPECT_EQ(a.rows_used, b.rows_used);
  ASSERT_EQ(a.iterations.size(), b.iterations.size());
  for (std::size_t i = 0; i < a.iterations.size(); ++i) {
    EXPECT_EQ(a.iterations[i].objective, b.iterations[i].objective);
  }
}

TEST(KMeansCheckpoint, AStopAfterAnyIterationChangesNoBit) {
  const auto world = comm::Communicator::world();
  const SharedFolder folder(world);
  const Rows rows(world, 3);
  for (const std::int64_t most : {0, 50}) {
    const KMeansConfig config{.k = 7, .iterations = 9, .max_points_per_centroid = most};
    const auto expected = kmeans(rows.local(), config, world);
    ASSERT_EQ(expected.iterations.size(), 9U);
    for (int stop = 0; stop <= 9; ++stop) {
      const KMeansRuntime runtime{.checkpoint =
                                      folder / ("at" + std::to_string(most) + "-" + std::to_string(stop))};
      KMeansConfig first = config;
      first.iterations = stop;
      kmeans(rows.local(), first, world, {}, runtime);
      int called = 0;
      const auto resumed = kmeans(
          rows.local(), config, world, [&](int, const IterationStatistics&) { ++called; }, runtime);
      expect_same(resumed, expected);
      EXPECT_EQ(called, world.is_root() ? 9 - stop : 0);
    }
  }
}

TEST(KMeansCheckpoint, AStatePastTheIterationsAskedForIsNotUsed) {
  const auto world = comm::Communicator::world();
  const SharedFolder folder(world);
  const Rows rows(world, 3);
  KMeansConfig config{.k = 7, .iterations = 4};
  const auto expected = kmeans(rows.local(), config, world);
  const KMeansRuntime runtime{.checkpoint = folder / "past"};
  config.iterations = 6;
  kmeans(rows.local(), config, world, {}, runtime);
  config.iterations = 4;
  expect_same(kmeans(rows.local(), config, world, {}, runtime), expected);
}

TEST(KMeansCheckpoint, GoesOnWithAnotherNumberOfRanksAndAfterAnException) {
  const auto world = comm::Communicator::world();
  const SharedFolder folder(world);
  const KMeansConfig config{.k = 6, .iterations = 12};
  const KMeansRuntime runtime{.checkpoint = folder / "state"};
  const auto self = comm::Communicator::self();
  const auto expected = kmeans(Rows(self, 4).local(), config, self);
  if (world.is_root()) {
    const auto stop = [](int iteration, const IterationStatistics&) {
      if (iteration == 4) throw std::runtime_error("stopped");
    };
    EXPECT_THROW(kmeans(Rows(self, 4).local(), config, self, stop, runtime), std::runtime_error);
  }
  world.barrier();
  expect_same(kmeans(Rows(world, 4).local(), config, world, {}, runtime), expected);
}

TEST(KMeansCheckpoint, RefusesOtherRowsAndOtherConfigurationsByName) {
  const auto world = comm::Communicator::world();
  const SharedFolder folder(world);
  const KMeansRuntime runtime{.checkpoint = folder / "state"};
  const Rows rows(world, 5);
  kmeans(rows.local(), {.k = 4, .iterations = 2}, world, {}, runtime);
  const auto expect_refused = [&](const Rows& given, const KMeansConfig& config, const std::string& what) {
    try {
      kmeans(given.local(), config, world, {}, runtime);
      FAIL() << what;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  expect_refused(rows, {.k = 5, .iterations = 2}, "k (4 there, 5 now)");
  expect_refused(rows, {.k = 4, .iterations = 2, .seed = 1}, "seed");
  expect_refused(rows, {.k = 4, .iterations = 2, .max_points_per_centroid = 9}, "max_points_per_centroid");
  expect_refused(Rows(world, 6), {.k = 4, .iterations = 2}, "hash of the rows");
  expect_refused(Rows(world, 5, 799), {.k = 4, .iterations = 2}, "rows used (800 there, 799 now)");
}

TEST(KMeansCheckpoint, RefusesADamagedFile) {
  const test::ScratchFolder folder;
  const auto self = comm::Communicator::self();
  const Rows rows(self, 5, 60);
  const KMeansRuntime runtime{.checkpoint = folder / "state"};
  const KMeansConfig config{.k = 3, .iterations = 2};
  kmeans(rows.local(), config, self, {}, runtime);
  const std::string whole = base::read_file(runtime.checkpoint);
  std::vector<std::string> damaged = {"", "x", whole + "x", whole.substr(0, 40),
                                      whole.substr(0, whole.size() - 1)};
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    damaged.push_back(whole);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 4);
  }
  for (const auto& text : damaged) {
    std::ofstream(runtime.checkpoint, std::ios::binary) << text;
    try {
      kmeans(rows.local(), config, self, {}, runtime);
      FAIL() << "a damaged checkpoint was taken";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput) << error.what();
    }
  }
}

}  // namespace
}  // namespace quasar::cluster
