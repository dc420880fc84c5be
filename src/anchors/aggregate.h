// Owns the way from chosen anchor rows to centroids.
#pragma once

#include <cstdint>
#include <filesystem>
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
  std::vector<float>
      good_clusters;                ///< [clusters, d], means of the clusters' members before they are joined.
  std::vector<float> bad_clusters;  ///< One row, the mean, without clustering.
  std::size_t dimension = 0;
  std::int64_t good_rows = 0;  ///< Rows averaged.
  std::int64_t bad_rows = 0;
  std::int64_t rows_not_finite = 0;  ///< Chosen rows left out because a value was not finite.

  std::size_t pairs() const { return dimension == 0 ? 0 : good.size() / dimension; }
};

/// Called on root after each k-means iteration: side ("good", "bad"), iteration, statistics.
using IterationReport = std::function<void(const std::string&, int, const cluster::IterationStatistics&)>;

/// How the work is done; no part of it changes the result.
struct AggregateRuntime {
  IterationReport report = {};
  std::uint64_t memory_bytes = 0;  ///< Limit for this rank; rows that do not fit are streamed. 0: none.
  int threads = 0;                 ///< 0: this rank's fair share.
  /// k-means' state is kept in PREFIX-good.kmeans and PREFIX-bad.kmeans, which a later call with the same
  /// rows and configuration goes on from. Empty: none.
  std::filesystem::path checkpoint_prefix = {};
  /// Asked on every rank after each iteration; true on any of them ends the work with Error(kInterrupted).
  std::function<bool()> stop_requested = {};
};

/// Averages the rows of the split over all ranks, each giving the rows it holds, read as often as the work
/// needs them. Collective; bit-identical for any number of ranks, any memory limit and after a stop. Throws
/// Error(kInput) when a side has no finite row (or fewer than k).
AnchorCentroids aggregate(cluster::RowSource& rows, const AnchorSplit& split, const AggregateConfig& config,
                          const comm::Communicator& comm, const AggregateRuntime& runtime = {});

/// Removes the files that `runtime.checkpoint_prefix` led to. On one rank.
void remove_checkpoints(const std::filesystem::path& checkpoint_prefix);

/// Rows [pairs, d], each divided by its L2 norm (the norm in double precision). Throws Error(kInput) for a
/// zero row.
std::vector<float> normalised(std::span<const float> rows, std::size_t dimension);

}  // namespace quasar::anchors
