// Owns the way from anchor data to an anchor file: embed the data, split it by its labels, average each side.
#pragma once

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Builds a set and writes RUN/anchors/NAME.h5; its embeddings stay below RUN/anchors/NAME/, so that a set
/// with another recipe over the same data embeds nothing anew. Collective. Throws Error(kInput) when a side
/// is empty.
store::AnchorSet build_anchors(const RunConfig& config, const AnchorSource& source, encoder::Encoder& encoder,
                               const comm::Communicator& comm);

}  // namespace quasar::pipeline
