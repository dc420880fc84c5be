#include "anchors/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "base/random.h"
#include "cluster/kmeans_memory.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace quasar::anchors {
namespace {

using Numbers = std::vector<std::int64_t>;

struct GoldenData {
  std::filesystem::path folder = test::test_file("golden/aggregation");
  test::SafetensorsReader io{folder / "io.safetensors"};
  nlohmann::json cases = nlohmann::json::parse(std::ifstream(folder / "case.json")).at("cases");
};

std::string source_of(const std::string& tag) {
  if (tag.rfind("fr_", 0) == 0) return "fr_pipal";
  return tag.rfind("nr_large", 0) == 0 ? "nr_ava_large" : "nr_ava";
}

AggregateConfig config_of(const nlohmann::json& golden) {
  AggregateConfig config;
  const auto& given = golden.at("config");
  if (given.at("aggregation_type") == "clustering") {
    config.aggregation = Aggregation::kClustering;
    config.kmeans.k = given.at("n_clusters");
    config.kmeans.iterations = given.at("niter");
    config.kmeans.max_points_per_centroid = 256;
  }
  return config;
}

/// Every second, third... row of a matrix, for this rank.
struct Held {
  std::vector<float> values;
  Numbers numbers;
  std::size_t dimension;
  Held(const test::SafetensorsReader& io, const std::string& name, const comm::Communicator& comm)
      : dimension(static_cast<std::size_t>(io.shape(name)[1])) {
    const auto all = io.values<float>(name);
    for (std::size_t i = 0; i < all.size() / dimension; ++i) {
      if (static_cast<int>(i) % comm.size() != comm.rank()) continue;
      numbers.push_back(static_cast<std::int64_t>(i));
      values.insert(values.end(), all.begin() + static_cast<std::ptrdiff_t>(i * dimension),
                    all.begin() + static_cast<std::ptrdiff_t>((i + 1) * dimension));
    }
  }
  cluster::LocalRows rows() const { return {values, numbers, dimension}; }
};

AnchorCentroids aggregate_held(const cluster::LocalRows& rows, const AnchorSplit& split,
                               const AggregateConfig& config, const comm::Communicator& comm,
                               const AggregateRuntime& runtime = {}) {
  cluster::MemoryRows source(rows);
  return aggregate(source, split, config, comm, runtime);
}

/// Rows that lie in no memory: read one stretch at a time, as from a file.
class StreamedRows final : public cluster::RowSource {
 public:
  explicit StreamedRows(const cluster::LocalRows& rows) : rows_(rows) {}
  std::size_t dimension() const override { return rows_.dimension(); }
  std::int64_t size() const override { return rows_.size(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    longest_read = std::max(longest_read, values.size());
    rows_.read(first, count, values, numbers);
  }
  std::size_t longest_read = 0;  ///< In values.

 private:
  cluster::MemoryRows rows_;
};

/// Random rows, those of them that this rank holds, and a split that scatters both sides over all of them.
struct RandomRows {
  static constexpr std::size_t kDimension = 24;
  std::vector<float> values;
  Numbers numbers;
  AnchorSplit split;

  RandomRows(const comm::Communicator& comm, std::size_t count, std::size_t shard) {
    base::Random random(17);
    for (std::size_t i = 0; i < count; ++i) {
      const bool mine = static_cast<int>(i / shard % static_cast<std::size_t>(comm.size())) == comm.rank();
      if (mine) numbers.push_back(static_cast<std::int64_t>(i));
      for (std::size_t j = 0; j < kDimension; ++j) {
        const auto value = static_cast<float>(random.normal());
        if (mine) values.push_back(value);
      }
      (random.below(3) == 0 ? split.good : split.bad).push_back(static_cast<std::int64_t>(i));
    }
    random.shuffle(std::span(split.good));
    random.shuffle(std::span(split.bad));
    split.bad.resize(split.bad.size() * 3 / 4);
  }
  cluster::LocalRows rows() const { return {values, numbers, kDimension}; }
};

AggregateConfig clusters(Aggregation aggregation) {
  AggregateConfig config;
  config.aggregation = aggregation;
  config.kmeans.k = 5;
  config.kmeans.iterations = 8;
  return config;
}

void expect_same(const AnchorCentroids& a, const AnchorCentroids& b, const std::string& what) {
  EXPECT_EQ(a.good, b.good) << what;
  EXPECT_EQ(a.bad, b.bad) << what;
  EXPECT_EQ(a.good_rows, b.good_rows) << what;
  EXPECT_EQ(a.bad_rows, b.bad_rows) << what;
}

void expect_near(std::span<const float> actual, std::span<const float> expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], 1e-6) << what << " value " << i;
}

TEST(Aggregate, ReproducesEveryGoldenCentroidOnAnyNumberOfRanks) {
  const GoldenData golden;
  const auto world = comm::Communicator::world();
  const auto self = comm::Communicator::self();
  int checked = 0;
  for (const auto& entry : golden.cases) {
    const std::string tag = entry.at("tag");
    const AnchorSplit split{golden.io.values<std::int64_t>(tag + ".used_ref_indices"),
                            golden.io.values<std::int64_t>(tag + ".used_dist_indices"), 0, 0, 0};
    const std::string rows = source_of(tag) + "_embeddings";
    const auto many = aggregate_held(Held(golden.io, rows, world).rows(), split, config_of(entry), world);
    const auto one = aggregate_held(Held(golden.io, rows, self).rows(), split, config_of(entry), self);
    EXPECT_EQ(many.good, one.good) << tag;
    EXPECT_EQ(many.bad, one.bad) << tag;
    EXPECT_EQ(many.pairs(), 1U);
    expect_near(many.good, golden.io.values<float>(tag + ".ref_centroid"), tag + " good");
    expect_near(many.bad, golden.io.values<float>(tag + ".dist_centroid"), tag + " bad");
    auto anchors = normalised(many.good, many.dimension);
    const auto bad = normalised(many.bad, many.dimension);
    anchors.insert(anchors.end(), bad.begin(), bad.end());
    expect_near(anchors, golden.io.values<float>(tag + ".anchors"), tag + " anchors");
    ++checked;
  }
  EXPECT_EQ(checked, 13);
}

TEST(Aggregate, MultiKeepsThePairsOfClusters) {
  const GoldenData golden;
  const auto world = comm::Communicator::world();
  const AnchorSplit split{golden.io.values<std::int64_t>("nr_cluster_k4.used_ref_indices"),
                          golden.io.values<std::int64_t>("nr_cluster_k4.used_dist_indices"), 0, 0, 0};
  AggregateConfig config;
  config.aggregation = Aggregation::kMulti;
  config.kmeans.k = 4;
  config.kmeans.iterations = 20;
  const auto centroids =
      aggregate_held(Held(golden.io, "nr_ava_embeddings", world).rows(), split, config, world);
  EXPECT_EQ(centroids.pairs(), 4U);
  EXPECT_EQ(centroids.good_rows, 190);
  EXPECT_EQ(centroids.bad_rows, 211);
}

TEST(Aggregate, ARowThatIsNotFiniteIsLeftOutAndCounted) {
  const auto world = comm::Communicator::world();
  const std::vector<float> all = {1, 2, NAN, 1, 3, 4, 5, 6};
  std::vector<float> values;
  Numbers numbers;
  for (int i = 0; i < 4; ++i) {
    if (i % world.size() != world.rank()) continue;
    numbers.push_back(i);
    values.insert(values.end(),
                  {all[static_cast<std::size_t>(2 * i)], all[static_cast<std::size_t>(2 * i + 1)]});
  }
  const auto centroids = aggregate_held({values, numbers, 2}, {{0, 1, 2}, {3}, 0, 0, 0}, {}, world);
  EXPECT_EQ(centroids.good, (std::vector<float>{2, 3}));
  EXPECT_EQ(centroids.bad, (std::vector<float>{5, 6}));
  EXPECT_EQ(centroids.rows_not_finite, 1);
  EXPECT_THROW(aggregate_held({values, numbers, 2}, {{0}, {1}, 0, 0, 0}, {}, world), base::Error);
}

TEST(Aggregate, RanksStreamingAndMemoryChangeNoBit) {
  const auto world = comm::Communicator::world();
  const auto self = comm::Communicator::self();
  const RandomRows all(self, 9000, 9000);
  const RandomRows mine(world, 9000, 70);
  for (const auto aggregation : {Aggregation::kMean, Aggregation::kClustering, Aggregation::kMulti}) {
    const auto config = clusters(aggregation);
    const auto expected = aggregate_held(all.rows(), all.split, config, self);
    expect_same(aggregate_held(mine.rows(), mine.split, config, world), expected, "ranks");
    StreamedRows streamed(all.rows());
    AggregateRuntime runtime;
    runtime.threads = 1;
    runtime.memory_bytes = cluster::kmeans_memory(0, RandomRows::kDimension, 5, 1, 0).total() +
                           sizeof(float) * 2 * 512 * RandomRows::kDimension;
    expect_same(aggregate(streamed, all.split, config, self, runtime), expected, "streamed");
    EXPECT_LT(streamed.longest_read, all.values.size() / 4) << "the rows were not streamed";
  }
}

TEST(Aggregate, AStopAfterAnyIterationOfEitherSideChangesNoBit) {
  const auto world = comm::Communicator::world();
  const RandomRows mine(world, 2000, 64);
  const auto config = clusters(Aggregation::kClustering);
  const auto expected = aggregate_held(mine.rows(), mine.split, config, world);
  const test::ScratchFolder own;
  std::string shared = own.path().string();
  world.broadcast(shared);
  for (int stop = 1; stop <= 16; stop += 5) {
    AggregateRuntime runtime;
    runtime.checkpoint_prefix = std::filesystem::path(shared) / ("stop" + std::to_string(stop));
    int iterations = 0;
    // One rank alone asks for the stop, as when a signal reaches it first.
    runtime.stop_requested = [&] { return ++iterations == stop && world.rank() == world.size() - 1; };
    try {
      aggregate_held(mine.rows(), mine.split, config, world, runtime);
      ADD_FAILURE() << "it was not stopped";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInterrupted);
    }
    int repeated = 0;
    runtime.stop_requested = {};
    runtime.report = [&](const std::string&, int, const cluster::IterationStatistics&) { ++repeated; };
    expect_same(aggregate_held(mine.rows(), mine.split, config, world, runtime), expected, "resumed");
    EXPECT_EQ(repeated, world.is_root() ? 16 - stop : 0);
    world.barrier();
    if (world.is_root()) {
      remove_checkpoints(runtime.checkpoint_prefix);
      EXPECT_TRUE(std::filesystem::is_empty(shared));
    }
    world.barrier();
  }
}

}  // namespace
}  // namespace quasar::anchors
