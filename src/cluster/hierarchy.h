// Owns hierarchical k-means: clusters of rows, clusters of their centroids, and so on.
//
// Level 1 clusters the rows, each further level the centroids of the one below, every centroid counting once
// however many rows it has. That draws centroids from where rows crowd toward an even spread over where rows
// are, and so do the resampling steps of a level: k-means anew on the few rows nearest each centroid, after
// which all rows are assigned again (Vo et al., Automatic Data Curation for Self-Supervised Learning, 2024).
//
// k-means is that of kmeans.h, and with it the result: the same for any number of ranks, and after a stop.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/kmeans.h"
#include "cluster/row_source.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// How a level is clustered again.
struct Resampling {
  int steps = 0;  ///< Times.
  int rows = 1;   ///< Rows nearest each centroid that a step clusters.

  bool operator==(const Resampling&) const = default;
};

/// What decides the result.
struct HierarchyConfig {
  std::vector<int> levels;             ///< Clusters by level, each fewer than the one below.
  std::vector<Resampling> resampling;  ///< By level; missing ones ask for none.
  int iterations = 50;                 ///< Lloyd iterations of each k-means, at most.
  std::uint64_t seed = 1234;           ///< Of the start rows; each step takes the next.
};

struct HierarchyLevel {
  std::vector<float> centroids;       ///< [k, d]
  std::vector<std::int32_t> parents;  ///< [k], cluster of the next level; empty at the last.
  std::vector<std::int64_t> sizes;    ///< [k], rows of all ranks below each.
};

struct Hierarchy {
  std::vector<HierarchyLevel> levels;
  /// Level-1 cluster of each row of this rank's source, in its order; -1 for one that is not finite.
  std::vector<std::int32_t> labels;
};

/// Clusters the rows of all ranks. Collective; the levels are the same on every rank. `runtime.checkpoint`,
/// if not empty, is how the names of state files begin: each k-means keeps its own and goes on from it after
/// a stop. A level resamples no more when duplicates leave too few rows to cluster. Throws as kmeans() does.
Hierarchy cluster_hierarchy(RowSource& rows, const HierarchyConfig& config, const comm::Communicator& comm,
                            const KMeansRuntime& runtime = {});

}  // namespace quasar::cluster
