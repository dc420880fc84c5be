// Owns balanced sampling of a hierarchy of clusters: how many rows of each level-1 cluster make a sample that
// is even over the clusters of every level.
//
// Down the tree, a node that is to give T rows asks each child for min(c, size), c the largest number whose
// sum is at most T (Vo et al., Automatic Data Curation for Self-Supervised Learning, 2024, algorithm 1). What
// is left goes as one more row each to children that have more: there at random, here to those whose next row
// is the best. So a node takes its rows in rounds, in each of which every child that has any left gives its
// next one, best first; a larger target adds rows and takes none away.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace quasar::cluster {

/// The largest number c, at most the largest size, for which the sum of min(c, size) is at most `target`.
std::uint64_t balanced_cut(std::span<const std::uint64_t> sizes, std::uint64_t target);

/// Clusters in clusters; the last level's lie in one root.
struct ClusterTree {
  std::vector<std::uint64_t> sizes;  ///< Rows of each level-1 cluster.
  /// By level from 1: the cluster of the next level that each lies in. One less than there are levels.
  std::vector<std::vector<std::int32_t>> parents;
  std::vector<std::size_t> clusters;  ///< By level: how many.
};

/// No place asked for, or none that was found.
inline constexpr std::uint64_t kNoPlace = std::numeric_limits<std::uint64_t>::max();

/// For level-1 clusters: where in the order of all rows, best first, the row at that place of its cluster
/// lies, counted from 0 and best first, too. kNoPlace for one that is not asked.
using PositionsOf = std::function<std::vector<std::uint64_t>(std::span<const std::uint64_t> places)>;

/// How many rows of each level-1 cluster, best first, are in a balanced sample of `target` rows, or all rows
/// where there are fewer. Calls `positions_of` at most once a level, wherever several ranks call this with
/// the same arguments, on all of them.
std::vector<std::uint64_t> balanced_counts(const ClusterTree& tree, std::uint64_t target,
                                           const PositionsOf& positions_of);

/// How many rows each cluster of each level has, from those of level 1; at the end, as a level of one, all.
std::vector<std::vector<std::uint64_t>> sizes_by_level(const ClusterTree& tree,
                                                       std::span<const std::uint64_t> sizes);

}  // namespace quasar::cluster
