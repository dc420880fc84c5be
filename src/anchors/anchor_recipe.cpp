#include "anchors/anchor_recipe.h"

#include <limits>

namespace quasar::anchors {
namespace {

constexpr int kMaxClusters = 1'000'000;
constexpr int kMaxDraws = 1000;
constexpr int kMaxNeighbours = 4096;
constexpr int kMaxIterations = 100'000;
constexpr auto kMaxSeed = std::numeric_limits<std::int64_t>::max();

std::uint64_t seed_of(const base::ConfigNode& node, const char* key, std::uint64_t fallback) {
  return static_cast<std::uint64_t>(
      node.get_in<std::int64_t>(key, static_cast<std::int64_t>(fallback), 0, kMaxSeed));
}

void read_uncertainty(const base::ConfigNode& node, DrawRecipe& recipe) {
  recipe.draws = node.get_in<int>("draws", 100, 2, kMaxDraws);
  recipe.seed = seed_of(node, "seed", recipe.seed);
  node.finish();
}

void read_neighbours(const base::ConfigNode& node, NeighbourRecipe& recipe) {
  recipe.clusters = node.get_in<int>("clusters", 8, 1, kMaxNeighbours);
  recipe.percentile = node.get_in<double>("percentile", recipe.percentile, 0, 50);
  node.finish();
}

}  // namespace

AnchorRecipe anchor_recipe_from_yaml(const base::ConfigNode& node) {
  AnchorRecipe recipe;
  recipe.kind = node.get_enum(
      "kind", recipe.kind,
      {{"full_reference", AnchorKind::kFullReference}, {"no_reference", AnchorKind::kNoReference}});
  recipe.ratio = node.get_in<double>("ratio", recipe.ratio, 0, 1);
  if (!(recipe.ratio > 0)) node.child("ratio").fail("a share above 0 is needed, or there are no anchors");
  recipe.seed = seed_of(node, "seed", recipe.seed);
  if (node.has("offset")) {
    const auto offset = node.child("offset");
    recipe.offset = offset.as<double>();
    if (!(*recipe.offset >= 0 && *recipe.offset < 1)) offset.fail("an offset lies in [0, 1)");
    if (recipe.kind == AnchorKind::kFullReference)
      offset.fail("an offset cuts labels, which full-reference data lacks");
  }
  auto& aggregate = recipe.aggregate;
  aggregate.aggregation = node.get_enum("aggregation", aggregate.aggregation,
                                        {{"mean", Aggregation::kMean},
                                         {"clustering", Aggregation::kClustering},
                                         {"multi", Aggregation::kMulti}});
  const bool clusters = aggregate.aggregation != Aggregation::kMean;
  for (const char* key : {"k", "iterations", "kmeans_seed", "max_points_per_centroid"}) {
    if (node.has(key) && !clusters)
      node.child(key).fail("only k-means uses it; aggregation: clustering or multi");
  }
  aggregate.kmeans.k = node.get_in<int>("k", aggregate.kmeans.k, 1, kMaxClusters);
  aggregate.kmeans.iterations =
      node.get_in<int>("iterations", aggregate.kmeans.iterations, 1, kMaxIterations);
  aggregate.kmeans.seed = seed_of(node, "kmeans_seed", aggregate.kmeans.seed);
  aggregate.kmeans.max_points_per_centroid = node.get_in<std::int64_t>(
      "max_points_per_centroid", 0, 0, std::numeric_limits<std::int64_t>::max() / kMaxClusters);
  if (node.has("uncertainty")) read_uncertainty(node.child("uncertainty"), recipe.uncertainty);
  if (node.has("out_of_distribution"))
    read_neighbours(node.child("out_of_distribution"), recipe.out_of_distribution);
  node.finish();
  return recipe;
}

}  // namespace quasar::anchors
