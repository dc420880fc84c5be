#include "curation/balance_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/errors.h"
#include "base/limit_text.h"
#include "base/progress.h"
#include "cluster/kmeans_memory.h"

namespace quasar::curation {
namespace {

constexpr const char* kClusterColumn = "cluster_";
constexpr int kMostOfLevel = 1 << 30;
constexpr int kMostResampling = 1000;
constexpr std::int64_t kMostTarget = std::int64_t{1} << 62U;

void read_levels(const base::ConfigNode& node, std::vector<int>& levels) {
  for (const auto& element : node.elements()) {
    const int clusters = element.as<int>();
    if (clusters < 1 || clusters > kMostOfLevel)
      element.fail(fmt::format("must be 1 to {} clusters", kMostOfLevel));
    if (!levels.empty() && clusters >= levels.back())
      element.fail(
          fmt::format("{} clusters cannot hold the {} of the level below: each level has fewer than "
                      "the one before it, as in [20000, 500, 20]",
                      clusters, levels.back()));
    levels.push_back(clusters);
  }
  if (levels.empty()) node.fail("names no level; [20000, 500, 20] has three");
  if (levels.size() > kMostLevels) node.fail(fmt::format("names more than {} levels", kMostLevels));
}

/// One number for all levels, or one each.
std::vector<int> read_by_level(const base::ConfigNode& node, const std::string& key, int fallback, int most,
                               std::size_t levels) {
  std::vector<int> values(levels, fallback);
  if (!node.has(key)) return values;
  const auto child = node.child(key);
  const auto number = [&](const base::ConfigNode& place) {
    const int value = place.as<int>();
    const int least = key == "rows" ? 1 : 0;
    if (value < least || value > most) place.fail(fmt::format("must be {} to {}", least, most));
    return value;
  };
  if (!child.is_sequence()) {
    std::ranges::fill(values, number(child));
    return values;
  }
  const auto elements = child.elements();
  if (elements.size() != levels)
    child.fail(fmt::format("has {} numbers for {}: give one for each level, or one for all", elements.size(),
                           base::counted(levels, "level")));
  for (std::size_t l = 0; l < levels; ++l) values[l] = number(elements[l]);
  return values;
}

void read_target(const base::ConfigNode& node, BalanceRule& rule) {
  const auto number = node.as<double>();
  if (number > 0 && number < 1) {
    rule.share = number;
    return;
  }
  if (!(number >= 1) || number != std::floor(number) || number > static_cast<double>(kMostTarget))
    node.fail("must be a whole number of rows, or a share of them between 0 and 1");
  rule.rows = static_cast<std::uint64_t>(node.as<std::int64_t>());
}

}  // namespace

std::string cluster_column(std::size_t level) {
  return kClusterColumn + std::to_string(level);
}

bool is_cluster_column(std::string_view name) {
  const std::string_view begin = kClusterColumn;
  return name.starts_with(begin) && name.size() > begin.size() &&
         name.find_first_not_of("0123456789", begin.size()) == std::string_view::npos;
}

BalanceRule balance_rule_from_yaml(const base::ConfigNode& node) {
  BalanceRule rule;
  if (node.is_null()) return rule;
  if (!node.has("levels")) node.fail("needs \"levels\": numbers of clusters, as in [20000, 500, 20]");
  read_levels(node.child("levels"), rule.clusters.levels);
  rule.where = node.child("levels").where() + ": " + node.child("levels").key();
  if (node.has("target")) read_target(node.child("target"), rule);
  rule.best = node.get_in<double>("best", rule.best, 0, 1);
  if (!(rule.best > 0)) node.child("best").fail("must be a share above 0, up to 1");
  if (!rule.rows && !rule.share && rule.best == 1)
    node.fail("needs a \"target\" (rows, or a share of them) or \"best\" (a share of each cluster)");
  rule.clusters.iterations = node.get_in<int>("iterations", rule.clusters.iterations, 1, 100000);
  rule.clusters.seed = static_cast<std::uint64_t>(node.get_in<std::int64_t>(
      "seed", static_cast<std::int64_t>(rule.clusters.seed), 0, std::int64_t{1} << 32U));
  if (node.has("resample")) {
    const auto resample = node.child("resample");
    const std::size_t levels = rule.clusters.levels.size();
    const auto steps = read_by_level(resample, "steps", 1, kMostResampling, levels);
    const auto rows = read_by_level(resample, "rows", 1, kMostOfLevel, levels);
    for (std::size_t l = 0; l < levels; ++l) rule.clusters.resampling.push_back({steps[l], rows[l]});
    resample.finish();
  }
  node.finish();
  return rule;
}

void check_clusters(const BalanceRule& rule, std::uint64_t rows, std::string_view what) {
  const auto clusters = static_cast<std::uint64_t>(rule.clusters.levels.front());
  if (clusters <= rows) return;
  base::fail(base::ExitCode::kConfig,
             fmt::format("{}: asks for {} of {}, {}: there cannot be more clusters than rows", rule.where,
                         base::counted(clusters, "cluster"), base::counted(rows, "row"), what));
}

BalanceMemory least_balance_memory(const BalanceRule& rule, std::uint64_t rows, std::size_t dimension,
                                   int threads) {
  // Of each row, its number here (in a vector that has grown), twice where it is read (likewise), its label
  // and distance, and, while the nearest are chosen, its number again and what is sorted of it.
  constexpr std::uint64_t kBytesOfRow = 16 + 16 + 8 + 8 + 8 + 24;
  return {rows * kBytesOfRow, cluster::least_kmeans_memory(dimension, rule.clusters.levels.front(), threads)};
}

void check_balance_memory(const BalanceRule& rule, std::uint64_t rows, std::size_t dimension, int threads,
                          std::uint64_t memory, std::string_view origin) {
  const std::uint64_t least = least_balance_memory(rule, rows, dimension, threads).total();
  if (memory >= least) return;
  base::fail(
      base::ExitCode::kConfig,
      fmt::format("curation.memory: {}{} is not enough to balance {} on a rank in {} of {} values; set "
                  "it to at least {}, or ask for fewer clusters in curation.balance.levels, or take "
                  "more ranks",
                  base::human_bytes(memory), origin, base::counted(rows, "row"),
                  base::counted(static_cast<std::uint64_t>(rule.clusters.levels.front()), "cluster"),
                  dimension, base::limit_text(least)));
}

}  // namespace quasar::curation
