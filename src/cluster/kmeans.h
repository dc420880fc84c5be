// Owns distributed k-means: Lloyd's iterations over rows that lie on several ranks, assignment by FAISS.
//
// All rows are used, unless a sample is asked for. Rows with a value that is not finite are left out and
// counted. Results do not depend on how the rows are spread over ranks: rows have global numbers, the
// arithmetic of a row's assignment depends on the row and the centroids alone, and sums are order-free
// (exact_sum.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "comm/communicator.h"

namespace quasar::cluster {

/// FAISS's names and defaults where it has them (faiss/Clustering.h).
struct KMeansConfig {
  int k = 8;                  ///< Clusters. More than the rows there are is an Error(kInput).
  int iterations = 25;        ///< Lloyd iterations; fewer only when the assignment stops changing.
  std::uint64_t seed = 1234;  ///< Of the start rows (perm(n, seed + 1)) and of the sample (perm(n, seed)).
  std::int64_t max_points_per_centroid =
      0;  ///< Use k times this many rows at most; 0: all. FAISS's own is 256.
};

/// What one iteration did.
struct IterationStatistics {
  double objective = 0;  ///< Sum of squared L2 distances of the rows to their centroids.
  double imbalance = 0;  ///< k * sum(size^2) / n^2: 1 for equal sizes, k for one cluster holding all.
  int empty = 0;         ///< Clusters that had lost all rows and were repaired.
};

struct KMeansResult {
  std::vector<float> centroids;     ///< [k, d]
  std::vector<std::int64_t> sizes;  ///< [k], rows of the training set at the last assignment.
  std::vector<IterationStatistics> iterations;
  std::int64_t rows_used = 0;
  std::int64_t rows_not_finite = 0;
};

/// Rows [n, d] that this rank holds, with their global numbers: ascending, disjoint between ranks.
struct LocalRows {
  std::span<const float> values;
  std::span<const std::int64_t> numbers;
  std::size_t dimension = 0;

  std::span<const float> row(std::size_t i) const { return values.subspan(i * dimension, dimension); }
};

/// FAISS's random permutation of 0..n-1 (rand_perm): mt19937, swaps forward.
std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed);

/// Clusters the rows of all ranks. Collective. `on_iteration` is called on root after each iteration.
/// An empty cluster takes the row that lies farthest from its centroid (ties: the lowest number); FAISS
/// splits a random large cluster instead, which is why the two agree as long as no cluster becomes empty.
/// Throws Error(kInput) when there are fewer finite rows than clusters.
KMeansResult kmeans(const LocalRows& rows, const KMeansConfig& config, const comm::Communicator& comm,
                    const std::function<void(int, const IterationStatistics&)>& on_iteration = {});

/// Nearest of the centroids [k, d] of each row [n, d] by squared L2 distance, and that distance. By FAISS,
/// one row's result independent of the others'.
void assign(std::span<const float> rows, std::span<const float> centroids, std::size_t dimension,
            std::span<std::int64_t> labels, std::span<float> distances);

}  // namespace quasar::cluster
