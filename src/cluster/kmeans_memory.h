// Owns what k-means takes of memory, and how it divides a limit: rows in memory come before what is
// remembered of each row.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quasar::cluster {

/// Bytes that k-means allocates on one rank, MPI's and the BLAS library's own buffers left out.
struct KMeansMemory {
  std::uint64_t rows = 0;     ///< Rows kept, or two chunks of streamed rows.
  std::uint64_t model = 0;    ///< Centroids (three copies, one prepared for the search), sums and sizes.
  std::uint64_t threads = 0;  ///< Work space of all threads.
  std::uint64_t bounds = 0;   ///< What is remembered of each row, where it fits.
  bool streamed = false;      ///< The rows do not fit and are read again at each iteration.

  std::uint64_t total() const { return rows + model + threads + bounds; }
};

/// The least limit that k-means can work in: all rows streamed, in the smallest pieces.
std::uint64_t least_kmeans_memory(std::size_t dimension, int k, int threads);

/// Prediction for `local_rows` rows of a source that are not in memory yet (rows that are count nothing).
/// Throws Error(kConfig) when a limit is given that even streaming does not fit in.
KMeansMemory kmeans_memory(std::int64_t local_rows, std::size_t dimension, int k, int threads,
                           std::uint64_t memory_bytes);

/// What a limit (0: none) leaves for rows and for what is remembered of them. Throws Error(kConfig) when even
/// streaming does not fit in it.
std::uint64_t kmeans_room(std::size_t dimension, int k, int threads, std::uint64_t memory_bytes);

/// What of that room goes to bounds on `local_rows` rows, which take `row_bytes` of it where all are kept; 0
/// when rows need it more.
std::uint64_t bounds_of_room(std::uint64_t room, std::int64_t local_rows, std::uint64_t row_bytes,
                             std::size_t dimension, int k, int threads);

}  // namespace quasar::cluster
