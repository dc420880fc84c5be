// Owns the work of a study: embeddings made once for all cells, cells computed by the ranks and kept as they
// finish, the result written at the end.
#pragma once

#include "comm/communicator.h"
#include "study/study_config.h"

namespace quasar::study {

enum class StudyExtent {
  kPlan,  ///< Everything is checked and the cost is shown; nothing is written.
  kRun,
};

/// Collective. Throws what is wrong before the first picture is read: Error(kInput) for a corpus without
/// images or labels, Error(kMismatch) for anchor files of another encoder. Throws Error(kNoResult) when no
/// cell has a correlation, Error(kInterrupted) on a wish to stop: a later call goes on.
void run_study(const StudyConfig& config, StudyExtent extent, const comm::Communicator& comm);

}  // namespace quasar::study
