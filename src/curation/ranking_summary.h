// Owns the reading of RUN/summary.json, as far as the rows of its ranking are read by it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "store/run_layout.h"

namespace quasar::curation {

struct RankingSummary {
  nlohmann::ordered_json json;      ///< All of it.
  std::vector<std::string> scores;  ///< Names of the columns of scores, in their order; at least one.
  std::string ranked_by;            ///< The one of these that rows are ranked by.
  std::uint64_t scored = 0;         ///< Rows that have scores.
};

/// Throws Error(kInput), naming the file, when it is missing or no summary of a ranking.
RankingSummary read_ranking_summary(const store::RunLayout& run);

}  // namespace quasar::curation
