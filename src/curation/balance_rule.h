// Owns the settings of balancing: the section `curation.balance` of a configuration.
//
//   balance:
//     levels: [20000, 500, 20]         # clusters by level, the first of rows
//     target: 100000                   # rows; or a share below 1 of those that the steps before leave
//     best: 0.5                        # share of each level-1 cluster that may be kept, best first
//     resample: {steps: 10, rows: 10}  # or one number a level: {steps: [1, 10, 10], rows: [10, 5, 3]}
//     iterations: 50
//     seed: 1234
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/config_node.h"
#include "cluster/hierarchy.h"

namespace quasar::curation {

struct BalanceRule {
  cluster::HierarchyConfig clusters;  ///< Without levels: no balance is asked for.
  std::optional<std::uint64_t> rows;  ///< Rows to keep, or
  std::optional<double> share;        ///< share of the rows considered to keep, in (0, 1); or neither.
  std::string where;                  ///< File, line and key of the levels.
  double best = 1;                    ///< Of each level-1 cluster only this share may be kept, rounded up.

  bool any() const { return !clusters.levels.empty(); }
};

/// Levels that a rule may have.
inline constexpr std::size_t kMostLevels = 16;

/// Name of the column of a level, from 1.
std::string cluster_column(std::size_t level);
/// Whether a column of balancing may have that name.
bool is_cluster_column(std::string_view name);

/// Reads the section; null gives a rule that asks nothing. Throws Error(kConfig).
BalanceRule balance_rule_from_yaml(const base::ConfigNode& node);

/// Throws Error(kConfig), with file, line and key, when there are fewer rows than level-1 clusters. `what`:
/// what the message calls them.
void check_clusters(const BalanceRule& rule, std::uint64_t rows, std::string_view what);

/// Which of the ranks reads the embeddings of the shard at a place among `shards`: ranks have consecutive
/// ones.
constexpr std::size_t balancing_rank(std::size_t place, std::size_t shards, std::size_t ranks) {
  return place * ranks / shards;
}

/// What balancing takes of curation.memory on a rank, at least: bytes.
struct BalanceMemory {
  std::uint64_t rows = 0;    ///< Of its rows, beside their embeddings, which are read again and again.
  std::uint64_t kmeans = 0;  ///< Of k-means at level 1, the embeddings streamed.

  std::uint64_t total() const { return rows + kmeans; }
};
/// `rows` of a rank, embeddings of `dimension` values, `threads` of a rank.
BalanceMemory least_balance_memory(const BalanceRule& rule, std::uint64_t rows, std::size_t dimension,
                                   int threads);
/// Throws Error(kConfig) when `memory`, a rank's curation.memory, is less than that. `origin`: what the
/// message says behind it of where it comes from.
void check_balance_memory(const BalanceRule& rule, std::uint64_t rows, std::size_t dimension, int threads,
                          std::uint64_t memory, std::string_view origin = {});

}  // namespace quasar::curation
