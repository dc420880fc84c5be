// Owns the recipe of an anchor set: what kind of labels its data has, and how rows become centroids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "anchors/aggregate.h"
#include "base/config_node.h"

namespace quasar::anchors {

enum class AnchorKind {
  kFullReference,  ///< Pristine pictures are good, those made from them bad (KADIS-700k, PIPAL).
  kNoReference,    ///< Every picture has a label; good lies above the median (AVA).
};

/// How far a score depends on which anchors were at hand: bootstrap draws of the anchor rows.
struct DrawRecipe {
  int draws = 0;  ///< 0: none.
  std::uint64_t seed = 42;
};

/// What counts as unlike any anchor: a cosine to the nearest anchor cluster below that of this share of the
/// anchors themselves.
struct NeighbourRecipe {
  int clusters = 0;  ///< On each side; 0: not asked for.
  double percentile = 1;
};

/// The defaults are the paper's.
struct AnchorRecipe {
  AnchorKind kind = AnchorKind::kFullReference;
  double ratio = 1;  ///< Share of the references (full-reference) or of each side (no-reference) kept.
  std::optional<double> offset;  ///< In [0, 1): cut the middle of the labels away; no-reference only.
  std::uint64_t seed = 42;       ///< Of the choice that `ratio` makes.
  AggregateConfig aggregate;
  DrawRecipe uncertainty;
  NeighbourRecipe out_of_distribution;
};

/// Section `recipe`: kind (full_reference, no_reference), ratio, offset, seed, aggregation (mean, clustering,
/// multi), k, iterations, kmeans_seed, max_points_per_centroid, uncertainty {draws, seed},
/// out_of_distribution {clusters, percentile}. Throws Error(kConfig).
AnchorRecipe anchor_recipe_from_yaml(const base::ConfigNode& node);

}  // namespace quasar::anchors
