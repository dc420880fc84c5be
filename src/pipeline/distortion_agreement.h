// Owns the measurement of how far anchors agree with people on rendered distortions of photos, and how far
// measures do that know of no anchors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "evaluation/agreement_text.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

struct AgreementJob {
  std::filesystem::path
      folder;       ///< Of pristine photos that neither the encoder nor the anchors have seen; empty: no job.
  int photos = 60;  ///< Of them, evenly spread over the sorted folder.
  std::uint64_t seed = 7;           ///< Of the distortions' randomness.
  std::string anchors;              ///< The set to measure; empty: the first of the configuration.
  std::vector<std::string> unseen;  ///< Names of kinds to report apart.
  bool baselines = false;           ///< Measure the other anchor sets, and PictureStatistics, too.
};

/// Renders every kind and level of every photo, embeds and scores them, and compares with the human scores of
/// KADID-10k. What it takes is logged before anything is embedded; embeddings are kept among the run's data
/// sets. A photo that cannot be measured, or a copy of which cannot, is left out with all its copies and
/// counted. Collective; the report is root's. Throws Error(kUsage) for an anchor set or a kind that is not
/// there, Error(kMismatch) for anchors of another encoder, both before anything is embedded; Error(kNoResult)
/// when no photo is left.
evaluation::AgreementReport measure_agreement(const RunConfig& config, const AgreementJob& job,
                                              encoder::Encoder& encoder, const comm::Communicator& comm);

}  // namespace quasar::pipeline
