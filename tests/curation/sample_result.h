// Owns a made-up outcome of a ranking.
#pragma once

#include "curation/curation_result.h"

namespace quasar::curation {

inline CurationResult sample_result() {
  CurationResult result;
  result.rows = 1003;
  result.scored = 1000;
  result.failed = 3;
  result.kept = 300;
  result.by_status = {{base::RowStatus::kOk, 1000}, {base::RowStatus::kMissing, 3}};
  result.by_reason = {{"top_fraction", 300}, {"beyond_top_fraction", 700}, {"status: missing", 3}};
  ColumnStatistics statistics;
  statistics.count = 1000;
  statistics.min = static_cast<double>(0.1F);
  statistics.max = static_cast<double>(0.9F);
  statistics.mean = 0.5;
  statistics.quantiles.fill(0.5);
  result.columns = {{"quality", statistics}};
  return result;
}

}  // namespace quasar::curation
