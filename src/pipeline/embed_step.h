// Owns the step that embeds the corpus, and the way in which every other step embeds a data set of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "comm/communicator.h"
#include "dataset/data_set.h"
#include "dataset/embed.h"
#include "encoder/encoder.h"
#include "pipeline/memory_plan.h"
#include "pipeline/run_config.h"
#include "pipeline/run_start.h"

namespace quasar::pipeline {

/// The encoder of the run on this rank's device; warns of a slow BLAS. Collective.
std::unique_ptr<encoder::Encoder> open_encoder(const RunConfig& config, const comm::Communicator& comm);

/// All that embeddings depend on beside the pictures, as JSON: every setting that changes them and what the
/// weights are. `half`: stored as float16. `hashes`: perceptual hashes kept of each picture.
std::string embed_settings(const RunConfig& config, const encoder::Encoder& encoder, bool half,
                           int hashes = 0);

struct EmbedOptions {
  std::string what;         ///< Name in the progress line.
  int hashes = 0;           ///< Perceptual hashes of each picture (embed.perceptual_hash).
  bool half = false;        ///< Store embeddings as float16.
  dataset::Part part = {};  ///< The shards to work on; other jobs have the others.
  std::optional<dataset::RetryFailed> retry = {};
};

/// Makes or continues a data set with the configuration's encoder, threads and memory, sharing shards with
/// other runs where the configuration says so. Collective. Throws as dataset::embed().
dataset::EmbedStatistics embed_data_set(const RunConfig& config, const dataset::DataSet& set,
                                        encoder::Encoder& encoder, const EmbedOptions& options,
                                        const comm::Communicator& comm);

/// Embeds the corpus, records with what, and reports what has become of it. Collective. Throws as
/// dataset::embed().
dataset::EmbedStatistics embed_step(const RunConfig& config, const dataset::DataSet& corpus,
                                    encoder::Encoder& encoder, const comm::Communicator& comm,
                                    dataset::Part part = {}, std::optional<dataset::RetryFailed> retry = {});

}  // namespace quasar::pipeline
