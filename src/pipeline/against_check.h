// Owns the early look at the sets that curation.duplicates.against names: what cannot be compared is known
// before anything is embedded.
#pragma once

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Where cosines are asked for, looks at one shard of each run that is named. Throws Error(kMismatch), naming
/// both encoders, for one of another than the configuration's, and what reading throws. Collective.
void check_against(const RunConfig& config, const encoder::Encoder& encoder, const comm::Communicator& comm);

}  // namespace quasar::pipeline
