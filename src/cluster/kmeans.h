// Owns distributed k-means: Lloyd's iterations over rows that lie on several ranks, in memory or streamed
// from a source at every iteration.
//
// All rows are used, unless a sample is asked for. Rows with a value that is not finite are left out and
// counted. Results do not depend on how the rows are spread over ranks and threads, nor on what is kept in
// memory: rows have global numbers, a row's assignment depends on the row and the centroids alone
// (nearest.h), and sums are order-free (exact_sum.h). docs/kmeans.md has the method and its costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "cluster/permutation.h"
#include "cluster/row_source.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// What decides the result. FAISS's names and defaults where it has them (faiss/Clustering.h).
struct KMeansConfig {
  int k = 8;                  ///< Clusters. More than the rows there are is an Error(kInput).
  int iterations = 25;        ///< Lloyd iterations; fewer only when the centroids stop changing.
  std::uint64_t seed = 1234;  ///< Of the start rows (perm(n, seed + 1)) and of the sample (perm(n, seed)).
  std::int64_t max_points_per_centroid =
      0;  ///< Use k times this many rows at most; 0: all. FAISS's own is 256.
};

/// How this process works; no part of it changes the result.
struct KMeansRuntime {
  /// State after each iteration, written by root; a run that finds it goes on from there. Empty: none.
  std::filesystem::path checkpoint = {};
  /// Limit for what k-means allocates on this rank; rows that do not fit are streamed at each iteration.
  /// 0: no limit.
  std::uint64_t memory_bytes = 0;
  int threads = 0;  ///< 0: this rank's fair share of the machine's processors.
  /// Remember how far the other centroids are from each row (8 bytes a row, where the limit has room), and
  /// search again only for rows whose label may have changed.
  bool bounds = true;
  /// Asked on every rank after each iteration, once its checkpoint is written; true on any of them makes all
  /// throw Error(kInterrupted).
  std::function<bool()> stop_requested = {};
};

/// What one iteration did.
struct IterationStatistics {
  double objective = 0;  ///< Sum of squared L2 distances of the rows to their centroids.
  double imbalance = 0;  ///< k * sum(size^2) / n^2: 1 for equal sizes, k for one cluster holding all.
  int empty = 0;         ///< Clusters that had lost all rows and were repaired.
  /// Rows whose label was searched for; the others' could not have changed. No part of the result: it depends
  /// on KMeansRuntime, and is 0 for iterations that a checkpoint tells of.
  std::int64_t searched = 0;
};

struct KMeansResult {
  std::vector<float> centroids;     ///< [k, d]
  std::vector<std::int64_t> sizes;  ///< [k], rows of the training set at the last assignment.
  std::vector<IterationStatistics> iterations;
  std::int64_t rows_used = 0;
  std::int64_t rows_not_finite = 0;
};

using OnIteration = std::function<void(int, const IterationStatistics&)>;

/// Clusters the rows of all ranks. Collective. `on_iteration` is called on root after each iteration, once
/// its checkpoint is written.
/// An empty cluster takes the row that lies farthest from its centroid (ties: the lowest number); FAISS
/// splits a random large cluster instead, which is why the two agree as long as no cluster becomes empty.
/// Throws Error(kInput) when there are fewer finite rows than clusters, Error(kMismatch) when the checkpoint
/// is of other rows or another configuration (`iterations` may differ; a state past them is not used),
/// Error(kConfig) when memory_bytes is too small to work in.
KMeansResult kmeans(RowSource& rows, const KMeansConfig& config, const comm::Communicator& comm,
                    const OnIteration& on_iteration = {}, const KMeansRuntime& runtime = {});
KMeansResult kmeans(const LocalRows& rows, const KMeansConfig& config, const comm::Communicator& comm,
                    const OnIteration& on_iteration = {}, const KMeansRuntime& runtime = {});

/// Exact means of the finite rows nearest to each centroid.
struct MemberMeans {
  std::vector<float> means;         ///< [k, d]; zeros for a centroid without rows.
  std::vector<std::int64_t> sizes;  ///< [k], rows of all ranks.
  std::int64_t rows_not_finite = 0;
};

/// Assigns every finite row of all ranks to the nearest of the centroids [k, d] and averages. Collective;
/// bit-identical for any number of ranks. With one centroid this is the mean of all rows.
MemberMeans member_means(RowSource& rows, std::span<const float> centroids, const comm::Communicator& comm,
                         const KMeansRuntime& runtime = {});

/// Where the rows of this rank's source lie, in its order.
struct RowLabels {
  std::vector<std::int32_t> labels;  ///< Nearest centroid; -1 for a row that is not finite.
  std::vector<float> distances;      ///< Squared L2 distance to it.
};

/// Assigns every row of this rank to the nearest of the centroids [k, d], with all its threads. Collective.
RowLabels assign_rows(RowSource& rows, std::span<const float> centroids, const comm::Communicator& comm,
                      const KMeansRuntime& runtime = {});

/// Nearest of the centroids [k, d] of each finite row [n, d] by squared L2 distance, and that distance, as
/// nearest.h defines them. In the calling thread.
void assign(std::span<const float> rows, std::span<const float> centroids, std::size_t dimension,
            std::span<std::int64_t> labels, std::span<float> distances);

}  // namespace quasar::cluster
