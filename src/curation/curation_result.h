// Owns what a ranking found, in numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "curation/column_statistics.h"
#include "curation/filter.h"

namespace quasar::curation {

/// Numbers of rows by what they have in common.
using RowCounts = std::map<std::string, std::uint64_t, std::less<>>;

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
      columns;  ///< Anchor sets, then combined when written.
};

}  // namespace quasar::curation
