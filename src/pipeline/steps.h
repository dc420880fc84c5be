// Owns the steps of a run, each of which continues from what the run directory already holds: plan, embed,
// anchors, score, rank. All are collective over the job's ranks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "curation/manifest.h"
#include "encoder/encoder.h"
#include "pipeline/await_written.h"
#include "pipeline/embed.h"
#include "pipeline/memory_plan.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// What is done about a plan that is frozen already.
enum class FrozenPlan {
  kExtended,  ///< Its sources are listed again to see that they are as they were; new ones are appended.
  kAsItIs,    ///< No source is looked at: another job has done it for all parts of an array.
};

/// A run as it would go on, of which nothing is written yet: what is refused on the way to freeze_run()
/// leaves a new run directory as it was.
struct RunDraft {
  std::optional<corpus::Plan> plan;  ///< On root: the frozen one with new sources appended, or a new one.
  std::string based_on;              ///< On root: fingerprint of the frozen plan; empty without one.
  std::uint64_t largest_shard = 0;   ///< Rows.
  FrozenPlan handling = FrozenPlan::kExtended;
  bool frozen = false;  ///< The run directory has a plan, whose shards stay as they are.
  bool begun = false;   ///< The run directory is tied to the settings that make embeddings.
};

/// Compares the configuration with the run directory, if there is one, and lists the corpus, or what is new
/// of it. Collective. Throws Error(kMismatch) naming the keys in which the run differs from the
/// configuration, Error(kInput) for a corpus without images.
RunDraft draft_run(const RunConfig& config, const comm::Communicator& comm,
                   FrozenPlan frozen = FrozenPlan::kExtended);

/// Predicts what the stages need. Collective. Throws Error(kConfig) as plan_memory() does.
MemoryPlan check_memory(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder,
                        const comm::Communicator& comm);

/// What earlier starts of a run have finished.
struct DoneAlready {
  int shards = 0;
  std::uint64_t rows = 0;
};

/// Looks at the headers of the draft's shards in the run directory, on root. Throws Error(kMismatch) for one
/// of another encoder.
DoneAlready done_already(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder);

/// What follows a frozen plan.
enum class RunStart {
  kEmbedding,  ///< Everything is checked: the run directory is tied to the settings.
  kLater,      ///< Other jobs, which check the rest.
};

/// Begins or continues the run directory: freezes the plan and saves the effective configuration. Several
/// jobs may begin a new one at once: the first decides, and the others compare with it. Collective. Throws
/// Error(kMismatch) as draft_run() does.
corpus::Plan freeze_run(const RunConfig& config, const RunDraft& draft, RunStart start,
                        const comm::Communicator& comm);

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
void score_step(const RunConfig& config, const corpus::Plan& plan, WrittenBy embeddings,
                const std::vector<store::AnchorSet>& sets, const comm::Communicator& comm);

/// Ranks all rows of RUN/scores and writes manifests, report and summary. Throws Error(kMismatch), naming
/// both, when the scores were made by other anchors than the configured ones, Error(kNoResult), after
/// writing, when not a single row could be scored. `scores`: who has written them and the built anchors.
curation::CurationResult rank_step(const RunConfig& config, const corpus::Plan& plan, WrittenBy scores,
                                   const comm::Communicator& comm);

/// Name and version of this program and of the libraries it runs on.
std::map<std::string, std::string> software_versions();

}  // namespace quasar::pipeline
