#include "cluster/balanced_sample.h"

#include <algorithm>
#include <numeric>

#include "base/errors.h"

namespace quasar::cluster {
namespace {

std::uint64_t sum_at(std::span<const std::uint64_t> sizes, std::uint64_t cut) {
  std::uint64_t sum = 0;
  for (const std::uint64_t size : sizes) sum += std::min(cut, size);
  return sum;
}

/// The tree with its children by node; level 0 is that of the level-1 clusters, the last the root's.
class Sampler {
 public:
  Sampler(const ClusterTree& tree, const PositionsOf& positions_of)
      : sizes_(sizes_by_level(tree, tree.sizes)), positions_of_(positions_of) {
    for (std::size_t l = 0; l + 1 < sizes_.size(); ++l) {
      auto& children = children_.emplace_back(sizes_[l + 1].size());
      for (std::size_t c = 0; c < sizes_[l].size(); ++c) {
        const bool last = l + 2 == sizes_.size();
        children[last ? 0 : static_cast<std::size_t>(tree.parents[l][c])].push_back(c);
      }
    }
  }

  std::vector<std::uint64_t> counts(std::uint64_t target) {
    std::vector<std::uint64_t> counts = {std::min(target, sizes_.back().front())};
    for (std::size_t l = sizes_.size() - 1; l > 0; --l) counts = counts_below(l, counts);
    return counts;
  }

 private:
  /// How a node shares `target` rows among its children.
  struct Shares {
    std::uint64_t cut = 0;
    std::uint64_t left = 0;               ///< Fewer than there are candidates.
    std::vector<std::size_t> candidates;  ///< Children with more rows than the cut.
  };
  Shares shares(std::size_t level, std::size_t node, std::uint64_t target) const {
    const auto& children = children_[level - 1][node];
    std::vector<std::uint64_t> sizes;
    for (const std::size_t child : children) sizes.push_back(sizes_[level - 1][child]);
    Shares found;
    found.cut = balanced_cut(sizes, target);
    found.left = target - sum_at(sizes, found.cut);
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (sizes[i] > found.cut) found.candidates.push_back(children[i]);
    }
    return found;
  }

  std::vector<std::uint64_t> counts_below(std::size_t level, std::span<const std::uint64_t> counts) {
    std::vector<std::uint64_t> below(sizes_[level - 1].size(), 0);
    std::vector<std::uint64_t> places(below.size(), kNoPlace);
    std::vector<Shares> shared;
    bool any = false;
    for (std::size_t node = 0; node < counts.size(); ++node) {
      auto& found = shared.emplace_back(shares(level, node, counts[node]));
      for (const std::size_t child : children_[level - 1][node])
        below[child] = std::min(found.cut, sizes_[level - 1][child]);
      if (found.left == 0) continue;
      any = true;
      for (const std::size_t child : found.candidates) places[child] = found.cut;
    }
    if (!any) return below;
    const auto positions = positions_at(level - 1, places);
    for (auto& found : shared) {
      std::ranges::sort(found.candidates, {}, [&](std::size_t child) { return positions[child]; });
      for (std::size_t i = 0; i < found.left; ++i) ++below[found.candidates[i]];
    }
    return below;
  }

  /// Where the row lies that each node of the level gives as its `places`-th.
  std::vector<std::uint64_t> positions_at(std::size_t level, std::span<const std::uint64_t> places) {
    if (level == 0) return positions_of_(places);
    std::vector<std::uint64_t> below(sizes_[level - 1].size(), kNoPlace);
    std::vector<Shares> shared(places.size());
    for (std::size_t node = 0; node < places.size(); ++node) {
      if (places[node] == kNoPlace) continue;
      shared[node] = shares(level, node, places[node]);
      for (const std::size_t child : shared[node].candidates) below[child] = shared[node].cut;
    }
    const auto positions = positions_at(level - 1, below);
    std::vector<std::uint64_t> found(places.size(), kNoPlace);
    for (std::size_t node = 0; node < places.size(); ++node) {
      if (places[node] == kNoPlace) continue;
      // What is taken so far are whole rounds, and of the next one so many.
      std::vector<std::uint64_t> round;
      for (const std::size_t child : shared[node].candidates) round.push_back(positions[child]);
      QUASAR_CHECK(shared[node].left < round.size());
      std::ranges::nth_element(round, round.begin() + static_cast<std::ptrdiff_t>(shared[node].left));
      found[node] = round[static_cast<std::size_t>(shared[node].left)];
    }
    return found;
  }

  std::vector<std::vector<std::uint64_t>> sizes_;
  std::vector<std::vector<std::vector<std::size_t>>> children_;  ///< By level above the lowest, by node.
  const PositionsOf& positions_of_;
};

}  // namespace

std::uint64_t balanced_cut(std::span<const std::uint64_t> sizes, std::uint64_t target) {
  std::uint64_t low = 0;
  std::uint64_t high = sizes.empty() ? 0 : *std::ranges::max_element(sizes);
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    if (sum_at(sizes, middle) <= target) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

std::vector<std::vector<std::uint64_t>> sizes_by_level(const ClusterTree& tree,
                                                       std::span<const std::uint64_t> sizes) {
  std::vector<std::vector<std::uint64_t>> all = {{sizes.begin(), sizes.end()}};
  for (std::size_t l = 1; l < tree.clusters.size(); ++l) {
    auto& level = all.emplace_back(tree.clusters[l], 0);
    for (std::size_t c = 0; c < all[l - 1].size(); ++c)
      level[static_cast<std::size_t>(tree.parents[l - 1][c])] += all[l - 1][c];
  }
  all.push_back({std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0})});
  return all;
}

std::vector<std::uint64_t> balanced_counts(const ClusterTree& tree, std::uint64_t target,
                                           const PositionsOf& positions_of) {
  QUASAR_CHECK(!tree.clusters.empty() && tree.sizes.size() == tree.clusters.front() &&
               tree.parents.size() + 1 == tree.clusters.size());
  return Sampler(tree, positions_of).counts(target);
}

}  // namespace quasar::cluster
