#include "anchors/aggregate.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

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
    const auto many = aggregate(Held(golden.io, rows, world).rows(), split, config_of(entry), world);
    const auto one = aggregate(Held(golden.io, rows, self).rows(), split, config_of(entry), self);
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
  const auto centroids = aggregate(Held(golden.io, "nr_ava_embeddings", world).rows(), split, config, world);
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
  const auto centroids = aggregate({values, numbers, 2}, {{0, 1, 2}, {3}, 0, 0, 0}, {}, world);
  EXPECT_EQ(centroids.good, (std::vector<float>{2, 3}));
  EXPECT_EQ(centroids.bad, (std::vector<float>{5, 6}));
  EXPECT_EQ(centroids.rows_not_finite, 1);
  EXPECT_THROW(aggregate({values, numbers, 2}, {{0}, {1}, 0, 0, 0}, {}, world), base::Error);
}

}  // namespace
}  // namespace quasar::anchors
