// Owns the check that anchors and embeddings come from the same encoder, and the early look at anchor files:
// what cannot be scored against is known before anything is embedded.
#pragma once

#include <string>

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Throws Error(kMismatch), naming both encoders, when the anchors (`which`: their name and place) are not of
/// this encoder, `whose` it is, and its dimension. `remedy` says what to do.
void check_anchor_encoder(const store::AnchorSet& set, const std::string& which,
                          const base::EncoderIdentity& encoder, int dimension, const std::string& whose,
                          const std::string& remedy);

/// Throws Error(kInput), naming the anchors (`which`: their name and place) and the side, when a centroid is
/// zero, which nothing can be compared with.
void check_anchor_directions(const store::AnchorSet& set, const std::string& which);

/// Reads every anchor file that the configuration names. Throws Error(kInput) for one that is none or holds a
/// centroid of zero,
/// Error(kMismatch) for one of another encoder. Collective.
void check_anchor_files(const RunConfig& config, const encoder::Encoder& encoder,
                        const comm::Communicator& comm);

}  // namespace quasar::pipeline
