#include "cluster/balanced_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>

#include "base/atomic_file.h"
#include "base/random.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

using Json = nlohmann::json;
using Counts = std::vector<std::uint64_t>;

/// Rows of the level-1 clusters, as positions, best first, and the way up from these.
struct Sample {
  ClusterTree tree;
  std::vector<Counts> rows;
};

PositionsOf positions_of(const Sample& sample) {
  return [&sample](std::span<const std::uint64_t> places) {
    Counts positions(places.size(), kNoPlace);
    for (std::size_t c = 0; c < places.size(); ++c) {
      // A row may be taken several times, all rows once before any the second time.
      if (places[c] != kNoPlace) positions[c] = sample.rows[c][places[c] % sample.rows[c].size()];
    }
    return positions;
  };
}

/// A tree of nested lists; points are numbered depth first.
Sample golden_tree(const Json& nested, std::uint64_t multiplier) {
  Sample sample;
  std::size_t depth = 0;
  for (const Json* node = &nested; node->is_array(); node = &node->front()) ++depth;
  sample.tree.clusters.assign(depth, 0);
  sample.tree.parents.resize(depth - 1);
  std::uint64_t next = 0;
  const auto add = [&](const auto& self, const Json& node, std::size_t level) -> void {
    const std::size_t here = sample.tree.clusters[level]++;
    if (level + 1 < depth)
      sample.tree.parents[level].push_back(static_cast<std::int32_t>(sample.tree.clusters[level + 1] - 1));
    if (level == 0) {
      auto& rows = sample.rows.emplace_back(node.get<std::size_t>());
      std::iota(rows.begin(), rows.end(), next);
      next += rows.size();
      sample.tree.sizes.push_back(rows.size() * multiplier);
      EXPECT_EQ(here + 1, sample.rows.size());
      return;
    }
    for (const auto& child : node) self(self, child, level - 1);
  };
  for (const auto& child : nested) add(add, child, depth - 1);
  return sample;
}

/// What the authors' own code gives (facebookresearch/ssl-data-curation).
std::filesystem::path golden_file(const std::string& name) {
  return test::shared_data() / "golden/curation/hierarchical_sampling" / name;
}

Json golden(const std::string& name) {
  return Json::parse(base::read_file(golden_file(name)));
}

TEST(BalancedSample, CutsAsPublished) {
  QUASAR_REQUIRE_DATA(golden_file("cuts.json"));
  int cases = 0;
  const auto all = golden("cuts.json");
  for (const auto& wanted : all["cuts"]) {
    const auto sizes = wanted["sizes"].get<Counts>();
    const auto target = wanted["target"].get<std::uint64_t>();
    SCOPED_TRACE(wanted.dump());
    ++cases;
    const auto cut = balanced_cut(sizes, target);
    EXPECT_EQ(cut, wanted["cut"].get<std::uint64_t>());
    Counts base;
    for (const auto size : sizes) base.push_back(std::min(cut, size));
    EXPECT_EQ(base, wanted["base"].get<Counts>());
    // The same through a tree of one level, in which later children have the better rows.
    const ClusterTree tree{sizes, {}, {sizes.size()}};
    const PositionsOf later_first = [&](std::span<const std::uint64_t> places) {
      Counts positions(places.begin(), places.end());
      for (std::size_t c = 0; c < places.size(); ++c) positions[c] += (sizes.size() - c) << 40U;
      return positions;
    };
    auto expected = base;
    const auto left = wanted["remainder"].get<std::size_t>();
    const auto candidates = wanted["candidates"].get<std::vector<std::size_t>>();
    if (std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}) > target) {
      ASSERT_LT(left, candidates.size());
      for (std::size_t i = 0; i < left; ++i) ++expected[candidates[candidates.size() - 1 - i]];
    }
    const auto counts = balanced_counts(tree, target, later_first);
    EXPECT_EQ(counts, expected);
    if (wanted["deterministic"].get<bool>()) {
      EXPECT_EQ(counts, wanted["target_sizes"].get<Counts>());
    }
  }
  EXPECT_EQ(cases, 55);
}

TEST(BalancedSample, SelectsAsPublished) {
  QUASAR_REQUIRE_DATA(golden_file("selections.json"));
  const auto all = golden("selections.json");
  int deterministic = 0;
  int bounded = 0;
  for (const auto& run : all["runs"]) {
    SCOPED_TRACE(run["tree"].get<std::string>() + " " + run["target"].dump() + " " +
                 run["multiplier"].dump());
    const auto multiplier = run["multiplier"].get<std::uint64_t>();
    const auto sample = golden_tree(all["trees"][run["tree"].get<std::string>()], multiplier);
    const auto counts =
        balanced_counts(sample.tree, run["target"].get<std::uint64_t>(), positions_of(sample));
    Counts selected;
    const auto least = run["level1_count_min"].get<Counts>();
    const auto most = run["level1_count_max"].get<Counts>();
    for (std::size_t c = 0; c < counts.size(); ++c) {
      for (std::uint64_t i = 0; i < counts[c]; ++i)
        selected.push_back(sample.rows[c][i % sample.rows[c].size()]);
      EXPECT_GE(counts[c], least[c]) << c;
      EXPECT_LE(counts[c], most[c]) << c;
    }
    EXPECT_EQ(selected.size(), run["selected"].get<std::size_t>());
    if (run["deterministic"].get<bool>()) {
      std::ranges::sort(selected);
      EXPECT_EQ(selected, run["selection_sorted"].get<Counts>());
      ++deterministic;
    } else {
      ++bounded;
    }
  }
  EXPECT_EQ(deterministic, 34);
  EXPECT_EQ(bounded, 70);
}

/// The order in which a node takes its rows, by its definition: in rounds, best first.
Counts in_rounds(const std::vector<Counts>& children) {
  std::vector<std::pair<std::size_t, std::uint64_t>> keyed;
  for (const auto& child : children) {
    for (std::size_t i = 0; i < child.size(); ++i) keyed.emplace_back(i, child[i]);
  }
  std::ranges::sort(keyed);
  Counts order;
  for (const auto& [round, position] : keyed) order.push_back(position);
  return order;
}

TEST(BalancedSample, TakesRowsInRoundsSoThatTargetsAreNested) {
  base::Random random(7);
  for (int trial = 0; trial < 30; ++trial) {
    Sample sample;
    sample.tree.clusters = {9 + random.below(9), 4, 2};
    for (std::size_t l = 0; l + 1 < 3; ++l) {
      auto& parents = sample.tree.parents.emplace_back();
      for (std::size_t c = 0; c < sample.tree.clusters[l]; ++c)
        parents.push_back(static_cast<std::int32_t>(random.below(sample.tree.clusters[l + 1])));
    }
    sample.rows.resize(sample.tree.clusters[0]);
    const std::uint64_t total = 1 + random.below(90);
    for (std::uint64_t position = 0; position < total; ++position) {
      // Skewed, and some clusters are empty.
      const auto c = static_cast<std::size_t>(random.below(1 + random.below(sample.rows.size())));
      sample.rows[c].push_back(position);
    }
    for (const auto& rows : sample.rows) sample.tree.sizes.push_back(rows.size());
    std::vector<Counts> level = sample.rows;
    for (std::size_t l = 0; l < 2; ++l) {
      std::vector<std::vector<Counts>> children(sample.tree.clusters[l + 1]);
      for (std::size_t c = 0; c < level.size(); ++c)
        children[static_cast<std::size_t>(sample.tree.parents[l][c])].push_back(level[c]);
      level.clear();
      for (const auto& of_node : children) level.push_back(in_rounds(of_node));
    }
    const Counts order = in_rounds(level);
    ASSERT_EQ(order.size(), total);
    for (std::uint64_t target = 0; target <= total + 1; ++target) {
      const auto counts = balanced_counts(sample.tree, target, positions_of(sample));
      Counts selected;
      for (std::size_t c = 0; c < counts.size(); ++c) {
        selected.insert(selected.end(), sample.rows[c].begin(),
                        sample.rows[c].begin() + static_cast<std::ptrdiff_t>(counts[c]));
      }
      std::ranges::sort(selected);
      Counts expected(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(target, total)));
      std::ranges::sort(expected);
      EXPECT_EQ(selected, expected) << target;
    }
  }
}

TEST(BalancedSample, SumsSizesUpTheTree) {
  const ClusterTree tree{{3, 0, 4}, {{1, 1, 0}}, {3, 2}};
  EXPECT_EQ(sizes_by_level(tree, tree.sizes), (std::vector<Counts>{{3, 0, 4}, {4, 3}, {7}}));
}

}  // namespace
}  // namespace quasar::cluster
