// Owns what a run directory tells of its run: shards, failures, rates. It only reads, so that it works beside
// a running job and long after.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "dataset/data_set.h"
#include "pass/rank_metrics.h"
#include "store/run_layout.h"

namespace quasar::pipeline {

/// A failed row, as an example of its kind.
struct FailureExample {
  std::string id;
  std::string error;
};

struct RunStatus {
  std::uint64_t rows = 0;           ///< Of the plan.
  std::uint64_t rows_finished = 0;  ///< In finished shards.
  std::size_t shards = 0;
  std::size_t shards_finished = 0;
  std::vector<int> shards_running;  ///< Begun by ranks that were heard of lately.
  std::vector<int> shards_missing;  ///< Neither finished nor running.
  std::vector<int> shards_damaged;  ///< There, and no whole file of its images; among the missing too.
  std::map<base::RowStatus, std::uint64_t> by_status;
  std::map<base::RowStatus, std::vector<FailureExample>> examples;  ///< The first few of each kind.
  std::vector<pass::MetricsSnapshot> ranks;                         ///< Of the last pass.
  bool ranked = false;                                              ///< The manifest is there.
  std::vector<std::string> manifest_faults;  ///< What of the manifests is not as summary.json says.
};

/// Ids of those of the corpus's shards whose damage crashes HDF5 when they are read unchecked
/// (store::Integrity): all are tried in another process at once, one by one only if that fails.
std::set<int> crashing_shards(const dataset::DataSet& corpus);

/// Reads RUN. Throws Error(kInput) when there is no plan.
RunStatus read_run_status(const store::RunLayout& run);

/// For people; several lines.
std::string describe(const RunStatus& status);

}  // namespace quasar::pipeline
