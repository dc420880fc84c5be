// Owns what a ranking found, in numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "curation/column_statistics.h"
#include "curation/filter.h"

namespace quasar::curation {

/// Numbers of rows by what they have in common.
using RowCounts = std::map<std::string, std::uint64_t, std::less<>>;

/// Least, median (the lower of two) and greatest of some sizes.
struct SizeSpread {
  std::uint64_t least = 0;
  std::uint64_t median = 0;
  std::uint64_t greatest = 0;
};

/// What balancing did.
struct BalanceCounts {
  struct Level {
    std::uint64_t clusters = 0;
    SizeSpread before;  ///< Rows of a cluster.
    SizeSpread after;   ///< Those of them that are kept.
  };
  std::vector<Level> levels;   ///< From level 1.
  std::uint64_t rows = 0;      ///< That the steps before left.
  std::uint64_t eligible = 0;  ///< Of these, the best of each cluster that may be kept.
  std::uint64_t target = 0;
  std::uint64_t kept = 0;
};

/// What ranking found. The counts add up: rows = scored + failed, failed = sum of by_status without ok.
struct CurationResult {
  std::uint64_t rows = 0;
  std::uint64_t scored = 0;
  std::uint64_t failed = 0;
  std::uint64_t kept = 0;
  std::map<base::RowStatus, std::uint64_t> by_status;
  RowCounts by_reason;  ///< Of rows kept and dropped, as in the manifest.
  /// Scored rows by filter, in order.
  std::vector<std::pair<FilterRule, FilterCount>> by_filter;
  /// Rows by what their embeddings were computed on, where the shards say; several kinds of one shard are
  /// joined by " and ".
  RowCounts by_computed_on;
  std::map<std::string, std::uint64_t> left_out;  ///< Of the corpus, as the input says.
  std::map<std::string, std::uint64_t> noted;     ///< Of the corpus, as the input says.
  std::vector<std::pair<std::string, ColumnStatistics>>
      columns;                           ///< Anchor sets, then combined when written.
  std::optional<BalanceCounts> balance;  ///< Where it was asked for.
};

}  // namespace quasar::curation
