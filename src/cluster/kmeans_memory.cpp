#include "cluster/kmeans_memory.h"

#include <limits>
#include <string>

#include "base/errors.h"
#include "base/progress.h"
#include "cluster/assignment_pass.h"
#include "cluster/centroid_sums.h"
#include "cluster/nearest.h"
#include "cluster/training_rows.h"

namespace quasar::cluster {
namespace {

std::uint64_t bytes_of_rows(std::int64_t rows, std::size_t dimension) {
  return static_cast<std::uint64_t>(rows) * dimension * sizeof(float);
}

/// Two chunks of streamed rows, as small as they get.
std::uint64_t least_row_bytes(std::size_t dimension) {
  return 2 * bytes_of_rows(NearestCentroid::kTileRows, dimension);
}

/// What is needed whatever the number of rows.
KMeansMemory memory_without_rows(std::size_t dimension, int k, int threads) {
  const auto clusters = static_cast<std::size_t>(k);
  KMeansMemory memory;
  // Centroids, those before the update, and those read at the start; prepared ones; farthest rows, twice.
  memory.model = 3 * clusters * dimension * sizeof(float) +
                 NearestCentroid::prepared_bytes(clusters, dimension) +
                 CentroidSums::bytes(clusters, dimension, threads) + 2 * clusters * sizeof(FarthestRows::Row);
  memory.threads = static_cast<std::uint64_t>(threads) * AssignmentPass::worker_bytes(clusters, dimension);
  return memory;
}

}  // namespace

std::uint64_t least_kmeans_memory(std::size_t dimension, int k, int threads) {
  return memory_without_rows(dimension, k, threads).total() + least_row_bytes(dimension);
}

std::uint64_t kmeans_room(std::size_t dimension, int k, int threads, std::uint64_t memory_bytes) {
  if (memory_bytes == 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t least = least_kmeans_memory(dimension, k, threads);
  if (memory_bytes < least) {
    base::fail(base::ExitCode::kConfig, "k-means with k = " + std::to_string(k) + " and " +
                                            std::to_string(dimension) + " dimensions needs at least " +
                                            base::human_bytes(least) + " on each rank; the limit is " +
                                            base::human_bytes(memory_bytes));
  }
  return memory_bytes - memory_without_rows(dimension, k, threads).total();
}

std::uint64_t bounds_of_room(std::uint64_t room, std::int64_t local_rows, std::uint64_t row_bytes,
                             std::size_t dimension, int k, int threads) {
  const std::uint64_t bounds =
      AssignmentPass::bounds_bytes(local_rows, static_cast<std::size_t>(k), dimension, threads);
  if (row_bytes <= room) return bounds <= room - row_bytes ? bounds : 0;
  // Where rows are streamed anyway, bounds may take a quarter of their room.
  return bounds <= room / 4 && least_row_bytes(dimension) <= room - bounds ? bounds : 0;
}

KMeansMemory kmeans_memory(std::int64_t local_rows, std::size_t dimension, int k, int threads,
                           std::uint64_t memory_bytes) {
  KMeansMemory memory = memory_without_rows(dimension, k, threads);
  const std::uint64_t fixed = memory.total();
  memory.rows = bytes_of_rows(local_rows, dimension);
  memory.streamed = memory_bytes != 0 && fixed + memory.rows > memory_bytes;
  // Rows that are all kept may need less than streaming would.
  std::uint64_t room = memory.streamed || memory_bytes == 0 ? kmeans_room(dimension, k, threads, memory_bytes)
                                                            : memory_bytes - fixed;
  memory.bounds = bounds_of_room(room, local_rows, memory.rows, dimension, k, threads);
  room -= memory.bounds;
  if (memory.streamed) memory.rows = 2 * bytes_of_rows(TrainingRows::chunk_rows(room, dimension), dimension);
  return memory;
}

}  // namespace quasar::cluster
