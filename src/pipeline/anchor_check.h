// Owns the early look at anchor files: what cannot be scored against is known before anything is embedded.
#pragma once

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Reads every anchor file that the configuration names. Throws Error(kInput) for one that is none,
/// Error(kMismatch) for one of another encoder. Collective.
void check_anchor_files(const RunConfig& config, const encoder::Encoder& encoder,
                        const comm::Communicator& comm);

}  // namespace quasar::pipeline
