// Owns the search for pairs of rows whose vectors point in nearly the same direction, over all ranks.
//
// Rows are scaled to length 1 and put into clusters of k-means; a pair is looked for where both rows have a
// cluster in common, each being in its nearest two. Pairs that have none are missed: the price of not
// comparing every row with every other. With one cluster all pairs are found.
//
// Vectors wait on disk, by cluster and number, and are multiplied in tiles. A product is a bound alone: what
// comes near the threshold is decided by a squared distance in a fixed order of sums, so that the pairs
// depend on the rows, the clusters and the threshold, not on ranks, tiles or the processor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cluster/hamming_pairs.h"
#include "cluster/row_source.h"
#include "cluster/thread_team.h"
#include "comm/communicator.h"

namespace quasar::cluster {

struct CosineSettings {
  double threshold = 0.95;         ///< Least cosine of a pair, in (0, 1].
  int clusters = 0;                ///< 0: as many as default_clusters() says.
  int clusters_of_row = 2;         ///< 1 or 2: its nearest.
  std::vector<float> centroids{};  ///< [k, d]: given ones, and no k-means.
  std::filesystem::path folder{};  ///< That all ranks see, with room for the vectors of all rows, twice.
  std::uint64_t memory = 0;        ///< Bytes for this rank.
};

/// Clusters of about 4,096 rows; for very many rows fewer than that would ask for, so that looking for a
/// row's clusters takes no longer than the products.
int default_clusters(std::uint64_t rows);

/// Units of a NearPair's distance here: 1 less the cosine, in ten-thousandths, rounded.
inline constexpr double kCosineUnits = 10000;

class CosinePairs {
 public:
  /// Reads all rows, a few times. They have numbers of their own, in any order. Rows that have no direction
  /// (a value that is not finite, or nothing but zeros) are in no pair, and are counted. Collective. Throws
  /// what the source throws, and Error(kOutput) when the disk is full, on every rank.
  CosinePairs(RowSource& rows, const CosineSettings& settings, const comm::Communicator& comm,
              const std::function<bool()>& stop_requested = {});
  ~CosinePairs();
  CosinePairs(const CosinePairs&) = delete;
  CosinePairs& operator=(const CosinePairs&) = delete;

  int clusters() const;
  std::uint64_t without_direction() const;  ///< Rows of all ranks.

  /// Which pairs are wanted: of a probe and a home of a higher number.
  struct Wanted {
    std::function<bool(std::uint64_t number)> probe;  ///< Thread-safe, as the next.
    std::function<bool(std::uint64_t number)> home;
    bool best_only = false;  ///< Of those of a home, those with the lowest probe are enough.
  };
  /// Calls `take` with pairs on the rank that finds them, a part at a time, on all ranks together; it may be
  /// collective. A pair may come twice. Collective.
  void find(const Wanted& wanted, ThreadTeam& team,
            const std::function<void(std::span<const NearPair>)>& take);
  /// Pairs of rows that this rank has multiplied.
  std::uint64_t products() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::cluster
