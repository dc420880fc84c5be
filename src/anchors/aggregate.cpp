#include "anchors/aggregate.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/errors.h"
#include "cluster/exact_sum.h"

namespace quasar::anchors {
namespace {

/// The chosen rows of one side that this rank holds, numbered by their place in the split.
struct Side {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;
  std::size_t dimension = 0;
  std::int64_t chosen = 0;
};

Side side_of(const cluster::LocalRows& rows, std::span<const std::int64_t> chosen) {
  std::unordered_map<std::int64_t, std::size_t> held;
  held.reserve(rows.numbers.size());
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) held.emplace(rows.numbers[i], i);
  Side side;
  side.dimension = rows.dimension;
  side.chosen = static_cast<std::int64_t>(chosen.size());
  for (std::size_t place = 0; place < chosen.size(); ++place) {
    const auto found = held.find(chosen[place]);
    if (found == held.end()) continue;
    const auto row = rows.row(found->second);
    side.numbers.push_back(static_cast<std::int64_t>(place));
    side.values.insert(side.values.end(), row.begin(), row.end());
  }
  return side;
}

/// Exact means of the rows of each label over all ranks; labels -1 are left out. Empty groups give no row.
std::vector<float> group_means(const Side& side, std::span<const std::int64_t> labels, std::size_t groups,
                               const comm::Communicator& comm, std::int64_t& rows_used) {
  const std::size_t d = side.dimension;
  double largest = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    largest = std::max(
        largest, static_cast<double>(cluster::largest_magnitude(std::span(side.values).subspan(i * d, d))));
  }
  const cluster::FixedPointScale scale(comm.all_reduce(largest, comm::Reduction::kMax),
                                       static_cast<std::uint64_t>(side.chosen));
  std::vector<std::int64_t> sums(groups * d + groups, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto group = static_cast<std::size_t>(labels[i]);
    cluster::add_row(std::span(side.values).subspan(i * d, d), scale, std::span(sums).subspan(group * d, d));
    ++sums[groups * d + group];
  }
  comm.all_reduce(std::span(sums), comm::Reduction::kSum);
  std::vector<float> means;
  rows_used = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    const std::int64_t size = sums[groups * d + group];
    rows_used += size;
    if (size == 0) continue;
    for (std::size_t j = 0; j < d; ++j) {
      means.push_back(static_cast<float>(scale.to_double(sums[group * d + j]) / static_cast<double>(size)));
    }
  }
  return means;
}

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

std::vector<float> aggregate_side(const Side& side, const std::string& name, const AggregateConfig& config,
                                  const comm::Communicator& comm, const IterationReport& report,
                                  std::int64_t& rows_used, std::int64_t& not_finite) {
  const std::size_t d = side.dimension;
  std::vector<std::int64_t> labels(side.numbers.size(), 0);
  std::int64_t bad_rows = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (std::isfinite(cluster::largest_magnitude(std::span(side.values).subspan(i * d, d)))) continue;
    labels[i] = -1;
    ++bad_rows;
  }
  not_finite += comm.all_reduce(bad_rows, comm::Reduction::kSum);

  std::size_t groups = 1;
  if (config.aggregation != Aggregation::kMean) {
    const auto on_iteration = [&](int iteration, const cluster::IterationStatistics& statistics) {
      if (report) report(name, iteration, statistics);
    };
    const auto clusters = cluster::kmeans({side.values, side.numbers, d}, config.kmeans, comm, on_iteration);
    groups = static_cast<std::size_t>(config.kmeans.k);
    // Every chosen row counts, also those k-means itself did not sample.
    std::vector<std::int64_t> nearest(labels.size());
    std::vector<float> distances(labels.size());
    cluster::assign(side.values, clusters.centroids, d, nearest, distances);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == 0) labels[i] = nearest[i];
    }
  }
  auto means = group_means(side, labels, groups, comm, rows_used);
  if (means.empty()) base::fail(base::ExitCode::kInput, "no " + name + " anchor row has a finite embedding");
  return config.aggregation == Aggregation::kClustering ? mean_of_rows(means, d) : means;
}

}  // namespace

AnchorCentroids aggregate(const cluster::LocalRows& rows, const AnchorSplit& split,
                          const AggregateConfig& config, const comm::Communicator& comm,
                          const IterationReport& report) {
  AnchorCentroids centroids;
  centroids.dimension = rows.dimension;
  centroids.good = aggregate_side(side_of(rows, split.good), "good", config, comm, report,
                                  centroids.good_rows, centroids.rows_not_finite);
  centroids.bad = aggregate_side(side_of(rows, split.bad), "bad", config, comm, report, centroids.bad_rows,
                                 centroids.rows_not_finite);
  // A cluster can end without members on one side; pairs go as far as both sides do.
  const std::size_t values = std::min(centroids.good.size(), centroids.bad.size());
  centroids.good.resize(values);
  centroids.bad.resize(values);
  return centroids;
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
