// Owns how far centroids depend on which anchors were at hand: the same aggregation over bootstrap draws of
// the anchor rows.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "anchors/aggregate.h"
#include "anchors/anchor_recipe.h"
#include "anchors/splits.h"
#include "cluster/row_source.h"
#include "comm/communicator.h"

namespace quasar::anchors {

/// Rows that are drawn together: pristine pictures with what was made from them. Parallel to a split.
struct DrawUnits {
  std::vector<std::uint64_t> good;
  std::vector<std::uint64_t> bad;
};

struct DrawnCentroids {
  std::vector<float> good;  ///< [draws, pairs, d]
  std::vector<float> bad;
};

/// Draws the units with replacement, as often as the recipe says: each takes part in a draw as often as a
/// Poisson variable of mean 1 says, which is a hash of seed, draw and unit (Hanley and MacGibbon 2006), so
/// that rows are read once, in any order. Clusters stay those of `centroids`; their means are weighted anew.
/// A cluster without a row in a draw keeps its mean. Collective; bit-identical for any number of ranks.
/// Throws Error(kConfig) for draws that take more than a few GiB.
DrawnCentroids draw_centroids(cluster::RowSource& rows, const AnchorSplit& split, const DrawUnits& units,
                              const AnchorCentroids& centroids, Aggregation aggregation,
                              const DrawRecipe& recipe, const comm::Communicator& comm);

/// Calls `take` with each finite row of this rank that was chosen, and its place in the choice.
void for_each_chosen(cluster::RowSource& rows, std::span<const std::int64_t> chosen,
                     const std::function<void(std::span<const float> row, std::int64_t place)>& take);

/// A Poisson variable of mean 1 from 64 random bits; at most 15.
int poisson_weight(std::uint64_t bits);

}  // namespace quasar::anchors
