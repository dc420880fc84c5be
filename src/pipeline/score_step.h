// Owns the step that scores stored embeddings against anchors.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "dataset/data_set.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Scores every row against every set from the stored embeddings and writes RUN/scores. Throws
/// Error(kMismatch) when a set's encoder is not the embeddings'.
void score_step(const RunConfig& config, const dataset::DataSet& corpus, dataset::WrittenBy embeddings,
                const std::vector<store::AnchorSet>& sets, const comm::Communicator& comm);

}  // namespace quasar::pipeline
