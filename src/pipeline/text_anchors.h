// Owns anchors made of prompts instead of pictures: the CLIP-IQA baseline.
#pragma once

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// One anchor pair per pair of prompts, from the text tower of the encoder's own checkpoint, written to
/// RUN/anchors/NAME.h5 under the encoder's fingerprint. The score is then the mean over the pairs.
/// Collective. Throws as encoder::embed_prompts, and Error(kInput) when the two towers' vectors differ in
/// length.
store::AnchorSet build_text_anchors(const RunConfig& config, const AnchorSource& source,
                                    const encoder::Encoder& encoder, const comm::Communicator& comm);

}  // namespace quasar::pipeline
