// Owns the steps of a run, each of which continues from what the run directory already holds: plan, embed,
// anchors, score, rank. All are collective over the job's ranks.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "curation/manifest.h"
#include "encoder/encoder.h"
#include "pipeline/embed.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Opens the run directory: freezes the plan if there is none, loads it otherwise, saves the effective
/// configuration. Several jobs may open a new run directory at once: each lists the same corpus and puts the
/// same whole files in place. Throws Error(kMismatch) naming the keys in which the run differs from the
/// configuration.
corpus::Plan open_run(const RunConfig& config, const comm::Communicator& comm);

/// The run directory as it is, unchanged. Collective. Throws Error(kInput) when there is none,
/// Error(kMismatch) naming the keys in which the run differs from the configuration.
corpus::Plan load_run(const RunConfig& config, const comm::Communicator& comm);
/// The same for a step that works on stored embeddings: the corpus is not looked at and may be gone; the
/// configuration in effect is saved.
corpus::Plan open_stored_run(const RunConfig& config, const comm::Communicator& comm);

/// The encoder of the run on this rank's device.
std::unique_ptr<encoder::Encoder> open_encoder(const RunConfig& config, const comm::Communicator& comm);

EmbedStatistics embed_step(const RunConfig& config, const corpus::Plan& plan, encoder::Encoder& encoder,
                           const comm::Communicator& comm, Part part = {},
                           std::optional<RetryFailed> retry = {});

/// Whether an anchor set of the configuration has to be built, and not only read from a file.
bool builds_anchors(const RunConfig& config);
/// Reads or builds every anchor set of the configuration; built ones are written to RUN/anchors/NAME.h5.
/// `encoder` may be null when builds_anchors() is false.
std::vector<store::AnchorSet> anchor_step(const RunConfig& config, encoder::Encoder* encoder,
                                          const comm::Communicator& comm);

/// Name of the file of a shard's scores below the run directory.
std::filesystem::path score_path(const std::filesystem::path& run, int shard);

/// Scores every row against every set from the stored embeddings and writes RUN/scores. Throws
/// Error(kMismatch) when a set's encoder is not the embeddings'.
void score_step(const RunConfig& config, const corpus::Plan& plan, const std::vector<store::AnchorSet>& sets,
                const comm::Communicator& comm);

/// Ranks all rows of RUN/scores and writes manifests, report and summary. Throws Error(kMismatch), naming
/// both, when the scores were made by other anchors than the configured ones, Error(kNoResult), after
/// writing, when not a single row could be scored.
curation::CurationResult rank_step(const RunConfig& config, const corpus::Plan& plan,
                                   const comm::Communicator& comm);

/// Name and version of this program and of the libraries it runs on.
std::map<std::string, std::string> software_versions();

}  // namespace quasar::pipeline
