#include "anchors/aggregate.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "anchors/chosen_rows.h"
#include "base/errors.h"

namespace quasar::anchors {
namespace {

std::vector<float> mean_of_rows(std::span<const float> rows, std::size_t d) {
  const std::size_t n = rows.size() / d;
  std::vector<float> mean(d);
  for (std::size_t j = 0; j < d; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(rows[i * d + j]);
    mean[j] = static_cast<float>(sum / static_cast<double>(n));
  }
  return mean;
}

struct SideResult {
  std::vector<float> clusters;   ///< [groups with members, d]
  std::vector<float> centroids;  ///< Of the aggregation, from these.
  std::int64_t rows = 0;
  std::int64_t not_finite = 0;
};

std::filesystem::path checkpoint_of(const std::filesystem::path& prefix, const std::string& side) {
  if (prefix.empty()) return {};
  auto path = prefix;
  path += "-" + side + ".kmeans";
  return path;
}

SideResult aggregate_side(cluster::RowSource& rows, std::span<const std::int64_t> chosen,
                          const std::string& name, const AggregateConfig& config,
                          const comm::Communicator& comm, const AggregateRuntime& runtime) {
  std::optional<ChosenRows> side;
  comm.together([&] { side.emplace(rows, chosen); });
  const std::size_t d = side->dimension();
  cluster::KMeansRuntime kmeans;
  kmeans.memory_bytes = runtime.memory_bytes;
  kmeans.threads = runtime.threads;
  // The exact mean of all rows is the mean of the members of a single cluster, whatever its centroid.
  std::vector<float> centroids(d, 0.0F);
  if (config.aggregation != Aggregation::kMean) {
    kmeans.checkpoint = checkpoint_of(runtime.checkpoint_prefix, name);
    kmeans.stop_requested = runtime.stop_requested;
    const auto on_iteration = [&](int iteration, const cluster::IterationStatistics& statistics) {
      if (runtime.report) runtime.report(name, iteration, statistics);
    };
    centroids = cluster::kmeans(*side, config.kmeans, comm, on_iteration, kmeans).centroids;
    kmeans.checkpoint.clear();
  }
  // Every chosen row counts, also those k-means itself did not sample.
  const auto members = cluster::member_means(*side, centroids, comm, kmeans);
  SideResult result;
  result.not_finite = members.rows_not_finite;
  for (std::size_t c = 0; c < members.sizes.size(); ++c) {
    if (members.sizes[c] == 0) continue;
    result.rows += members.sizes[c];
    const auto mean = std::span(members.means).subspan(c * d, d);
    result.centroids.insert(result.centroids.end(), mean.begin(), mean.end());
  }
  if (result.rows == 0) {
    base::fail(base::ExitCode::kInput, "no " + name + " anchor row has a finite embedding");
  }
  result.clusters = result.centroids;
  if (config.aggregation == Aggregation::kClustering) result.centroids = mean_of_rows(result.centroids, d);
  return result;
}

}  // namespace

AnchorCentroids aggregate(cluster::RowSource& rows, const AnchorSplit& split, const AggregateConfig& config,
                          const comm::Communicator& comm, const AggregateRuntime& runtime) {
  AnchorCentroids centroids;
  centroids.dimension = rows.dimension();
  auto good = aggregate_side(rows, split.good, "good", config, comm, runtime);
  auto bad = aggregate_side(rows, split.bad, "bad", config, comm, runtime);
  // A cluster can end without members on one side; pairs go as far as both sides do.
  const std::size_t values = std::min(good.centroids.size(), bad.centroids.size());
  good.centroids.resize(values);
  bad.centroids.resize(values);
  centroids.good_clusters = std::move(good.clusters);
  centroids.bad_clusters = std::move(bad.clusters);
  centroids.good = std::move(good.centroids);
  centroids.bad = std::move(bad.centroids);
  centroids.good_rows = good.rows;
  centroids.bad_rows = bad.rows;
  centroids.rows_not_finite = good.not_finite + bad.not_finite;
  return centroids;
}

void remove_checkpoints(const std::filesystem::path& checkpoint_prefix) {
  for (const char* side : {"good", "bad"}) {
    std::error_code ignored;
    std::filesystem::remove(checkpoint_of(checkpoint_prefix, side), ignored);
  }
}

std::vector<float> normalised(std::span<const float> rows, std::size_t dimension) {
  std::vector<float> result(rows.begin(), rows.end());
  for (std::size_t begin = 0; begin < result.size(); begin += dimension) {
    double square = 0;
    for (std::size_t j = 0; j < dimension; ++j) {
      square += static_cast<double>(result[begin + j]) * static_cast<double>(result[begin + j]);
    }
    if (!(square > 0))
      base::fail(base::ExitCode::kInput, "an anchor centroid is zero and so has no direction");
    const double norm = std::sqrt(square);
    for (std::size_t j = 0; j < dimension; ++j) {
      result[begin + j] = static_cast<float>(static_cast<double>(result[begin + j]) / norm);
    }
  }
  return result;
}

}  // namespace quasar::anchors
