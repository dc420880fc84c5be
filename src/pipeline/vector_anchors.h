// Owns the way from published centroids to an anchor set.
#pragma once

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// The set of the source's vectors, which are taken to be of this encoder: the mean of each side's rows, or,
/// with the aggregation multi, a pair for each row. Throws Error(kInput) for files that are damaged, values
/// that are not finite, and sides of multi that differ in rows, Error(kMismatch) for another dimension.
store::AnchorSet read_vector_anchors(const RunConfig& config, const AnchorSource& source,
                                     const encoder::Encoder& encoder);

/// The same, written to RUN/anchors/NAME.h5. Collective.
store::AnchorSet build_vector_anchors(const RunConfig& config, const AnchorSource& source,
                                      const encoder::Encoder& encoder, const comm::Communicator& comm);

}  // namespace quasar::pipeline
