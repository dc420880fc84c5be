// Owns the measurement of how far a set of anchors agrees with people on rendered distortions of photos.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "evaluation/agreement.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

struct AgreementJob {
  std::filesystem::path
      photos;              ///< Folder of pristine photos that neither the encoder nor the anchors have seen.
  int count = 60;          ///< Of them, evenly spread over the sorted folder.
  std::uint64_t seed = 7;  ///< Of the distortions' randomness.
};

/// Renders every kind and level of every photo, embeds and scores them, and compares with the human scores of
/// KADID-10k. Embeddings are kept among the run's data sets. Collective; the result is on every rank. Throws
/// Error(kMismatch), before anything is embedded, for anchors of another encoder.
evaluation::DistortionAgreement measure_agreement(const RunConfig& config, const AgreementJob& job,
                                                  const store::AnchorSet& anchors, encoder::Encoder& encoder,
                                                  const comm::Communicator& comm);

}  // namespace quasar::pipeline
