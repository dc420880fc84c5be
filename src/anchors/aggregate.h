// Owns the way from chosen anchor rows to centroids.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "anchors/splits.h"
#include "cluster/kmeans.h"
#include "comm/communicator.h"

namespace quasar::anchors {

enum class Aggregation {
  kMean,        ///< One pair: the mean of each side.
  kClustering,  ///< One pair: k-means on each side, the mean of the means of the clusters' members.
  kMulti,       ///< k pairs: the clusters' means themselves, the good ones paired with the bad ones in order.
};

struct AggregateConfig {
  Aggregation aggregation = Aggregation::kMean;
  cluster::KMeansConfig kmeans;  ///< For kClustering and kMulti.
};

/// Centroids of both sides. Rows are centroids as averaged; `normalised` gives what scoring takes.
struct AnchorCentroids {
  std::vector<float> good;  ///< [pairs, d], means of unnormalised embeddings.
  std::vector<float> bad;   ///< [pairs, d]
  std::size_t dimension = 0;
  std::int64_t good_rows = 0;  ///< Rows averaged.
  std::int64_t bad_rows = 0;
  std::int64_t rows_not_finite = 0;  ///< Chosen rows left out because a value was not finite.

  std::size_t pairs() const { return dimension == 0 ? 0 : good.size() / dimension; }
};

/// Called on root after each k-means iteration: side ("good", "bad"), iteration, statistics.
using IterationReport = std::function<void(const std::string&, int, const cluster::IterationStatistics&)>;

/// Averages the rows of the split over all ranks, each giving the rows it holds. Collective; bit-identical
/// for any number of ranks. Throws Error(kInput) when a side has no finite row (or fewer than k).
AnchorCentroids aggregate(const cluster::LocalRows& rows, const AnchorSplit& split,
                          const AggregateConfig& config, const comm::Communicator& comm,
                          const IterationReport& report = {});

/// Rows [pairs, d], each divided by its L2 norm (the norm in double precision). Throws Error(kInput) for a
/// zero row.
std::vector<float> normalised(std::span<const float> rows, std::size_t dimension);

}  // namespace quasar::anchors
