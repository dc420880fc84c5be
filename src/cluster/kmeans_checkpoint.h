// Internal to the module: owns the file that k-means goes on from after a stop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "cluster/kmeans.h"

namespace quasar::cluster {

/// What must be the same for a state to be of use.
struct KMeansIdentity {
  std::int64_t k = 0;
  std::uint64_t seed = 0;
  std::int64_t max_points_per_centroid = 0;
  std::int64_t dimension = 0;
  std::int64_t rows_used = 0;
  std::int64_t rows_not_finite = 0;
  std::uint64_t rows_hash = 0;  ///< Of all rows and their numbers, in any order.
};

struct KMeansState {
  KMeansResult result;     ///< After result.iterations.size() iterations.
  bool converged = false;  ///< The centroids have stopped changing.
};

/// Throws Error(kOutput).
void write_checkpoint(const std::filesystem::path& path, const KMeansIdentity& identity,
                      const KMeansState& state);

/// Nothing when there is no such file. Throws Error(kInput) when it is damaged, Error(kMismatch) when it is
/// of something else, naming what differs.
std::optional<KMeansState> read_checkpoint(const std::filesystem::path& path, const KMeansIdentity& identity);

}  // namespace quasar::cluster
