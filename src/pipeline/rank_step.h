// Owns the step that ranks all scored rows and writes what a run is for.
#pragma once

#include <span>
#include <string>

#include "comm/communicator.h"
#include "curation/manifest.h"
#include "dataset/data_set.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Where the rows of a run lie.
curation::RankInput rank_input(const RunConfig& config, const dataset::DataSet& corpus);

/// Throws Error(kInput) for a shard of the corpus without scores, or an anchor set that was not built,
/// Error(kMismatch), naming both, where the scores were made by other anchors than the configured sets of
/// these names. Not collective.
void check_scored(const RunConfig& config, const dataset::DataSet& corpus, std::span<const std::string> sets);

/// Ranks all rows of RUN/scores and writes manifests, report and summary. Throws Error(kMismatch), naming
/// both, when the scores were made by other anchors than the configured ones, Error(kNoResult), after
/// writing, when not a single row could be scored. `scores`: who has written them and the built anchors.
curation::CurationResult rank_step(const RunConfig& config, const dataset::DataSet& corpus,
                                   dataset::WrittenBy scores, const comm::Communicator& comm);

}  // namespace quasar::pipeline
