// Owns the step that gets every anchor set of a configuration: read from a file, or built.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Whether an anchor set of the configuration has to be built, and not only read from a file.
bool builds_anchors(const RunConfig& config);
/// Reads or builds every anchor set of the configuration; built ones are written to RUN/anchors/NAME.h5.
/// `encoder` may be null when builds_anchors() is false.
std::vector<store::AnchorSet> anchor_step(const RunConfig& config, encoder::Encoder* encoder,
                                          const comm::Communicator& comm);

}  // namespace quasar::pipeline
