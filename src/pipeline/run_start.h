// Owns the beginning of a job on a run directory: what there is, what the configuration asks for, and whether
// they go together. All is collective over the job's ranks but for done_already().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "dataset/data_set.h"
#include "pipeline/run_config.h"
#include "store/embedding_shard.h"

namespace quasar::pipeline {

/// What is done about a plan that is frozen already.
enum class FrozenPlan {
  kListed,    ///< Its sources are listed again to see that they are as they were; new ones are appended.
  kExtended,  ///< The same, but what bears the sizes and times that the plan knows is not listed again.
  kAsItIs,    ///< No source is looked at: another job has done it for all parts of an array.
};

/// A run as it would go on, of which nothing is written yet: what is refused on the way to freeze_run()
/// leaves a new run directory as it was.
struct RunDraft {
  std::optional<corpus::Plan> plan;  ///< On root: the frozen one with new sources appended, or a new one.
  std::string based_on;              ///< On root: fingerprint of the frozen plan; empty without one.
  std::uint64_t largest_shard = 0;   ///< Rows.
  std::uint64_t largest_share = 0;   ///< Rows of the shards that one rank ranks, at most.
  FrozenPlan handling = FrozenPlan::kExtended;
  bool frozen = false;  ///< The run directory has a plan, whose shards stay as they are.
  bool begun = false;   ///< The run directory is tied to the settings that make embeddings.
};

/// Compares the configuration with the run directory, if there is one, and lists the corpus, or what is new
/// of it. Collective. Throws Error(kMismatch) naming the keys in which the run differs from the
/// configuration, Error(kInput) for a corpus without images.
RunDraft draft_run(const RunConfig& config, const comm::Communicator& comm,
                   FrozenPlan frozen = FrozenPlan::kExtended);

/// What earlier starts of a run have finished.
struct DoneAlready {
  int shards = 0;
  std::uint64_t rows = 0;
};

/// Looks at the headers of the draft's shards in the run directory, on root. Throws Error(kMismatch) for one
/// of another encoder.
DoneAlready done_already(const RunConfig& config, const RunDraft& draft,
                         const base::EncoderIdentity& encoder);

/// What follows a frozen plan.
enum class RunStart {
  kEmbedding,  ///< Everything is checked: the run directory is tied to the settings.
  kLater,      ///< Other jobs, which check the rest.
};

/// Begins or continues the run directory: freezes the plan and saves the effective configuration. Several
/// jobs may begin a new one at once: the first decides, and the others compare with it. Collective. Throws
/// Error(kMismatch) as draft_run() does.
dataset::DataSet freeze_run(const RunConfig& config, const RunDraft& draft, RunStart start,
                            const comm::Communicator& comm);

/// The run directory as it is, unchanged. Collective. Throws Error(kInput) when there is none,
/// Error(kMismatch) naming the keys in which the run differs from the configuration.
dataset::DataSet load_run(const RunConfig& config, const comm::Communicator& comm);
/// The same for a step that works on stored embeddings: the corpus is not looked at and may be gone; the
/// configuration in effect is saved.
dataset::DataSet open_stored_run(const RunConfig& config, const comm::Communicator& comm);

}  // namespace quasar::pipeline
