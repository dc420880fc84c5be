// Owns what a run has to say about how its scores agree with the labels of its corpus.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "dataset/data_set.h"
#include "evaluation/evaluate.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// What of a run is looked at.
struct RatedRunQuery {
  std::vector<std::string> anchors;  ///< Anchor sets; empty: all of the configuration.
  /// What to measure by: "kind" and "level" (of a distortion), "reference", "split", a field of the corpus's
  /// metadata; empty: nothing.
  std::string group;
  bool with_ids = false;  ///< Read ids, too, for join_run().
};

struct RatedRun {
  evaluation::RatedPictures pictures;
  std::vector<std::size_t> rows;        ///< [n] The pictures' rows in the plan, ascending.
  std::vector<std::string> ids;         ///< [n] Theirs, where asked for.
  std::vector<std::string> failed_ids;  ///< Of the rows that are not ok, where asked for.
};

/// The scored rows of a run that are ok, in the order of the plan. What is not among them is counted by why;
/// pictures whose bytes are listed twice are noted. Reads rows, no vectors. Throws Error(kInput) for a run
/// that is not scored, Error(kMismatch) for an anchor set that it was not scored by, for scores by other
/// anchors than the configured ones and of pictures that were embedded anew since, Error(kConfig) for a group
/// that no row has.
RatedRun read_rated_run(const RunConfig& config, const dataset::DataSet& corpus, const RatedRunQuery& query);

/// Takes the scorers of another run of the same pictures into `run`, row by row after ids; both were read
/// with them. A scorer whose name is taken becomes "NAME (other_name)". Pictures that failed in the other run
/// alone are left out, and counted. Throws Error(kMismatch) with counts where the runs do not list the same
/// ids, or their labels differ.
void join_run(RatedRun& run, const RatedRun& other, const std::string& other_name);

}  // namespace quasar::pipeline
