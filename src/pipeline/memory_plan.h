// Owns the limit on a rank's memory: what the stages of a run are predicted to need, before any of them
// starts, and what they are allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "comm/communicator.h"
#include "corpus/plan.h"
#include "dataset/embed_config.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"
#include "pipeline/run_start.h"

namespace quasar::pipeline {

/// What one stage takes on a rank beyond the process as it is: libraries, weights, MPI.
struct StageMemory {
  std::string stage;        ///< "embed", "anchors NAME", "rank".
  std::uint64_t bytes = 0;  ///< Predicted peak.
  std::string note;         ///< How it comes about, in a few words.
};

struct MemoryPlan {
  std::uint64_t process = 0;  ///< Resident before the stages: libraries, encoder, MPI.
  std::uint64_t limit = 0;    ///< config.memory; 0: none.
  std::vector<StageMemory> stages;
  dataset::EmbedMemory embed;  ///< How the stage "embed", and those of anchors, divide theirs.

  std::uint64_t peak() const;
};

/// What is known of the work beforehand.
struct MemoryDemand {
  base::InputSpec input;            ///< Of the encoder.
  std::size_t dimension = 0;        ///< Of an embedding.
  std::uint64_t largest_shard = 0;  ///< Rows.
  std::uint64_t largest_share = 0;  ///< Rows that a rank ranks.
  int threads = 1;                  ///< Cores of this rank.
  /// Bytes of this process that one call of the encoder takes for so many pictures of a height and width.
  std::function<std::uint64_t(int count, int height, int width)> encode_bytes;
  /// Of so many threads that encode, how many such calls run at once.
  std::function<int(int threads)> encode_calls;
  std::uint64_t process = 0;       ///< Resident now, the encoder loaded.
  bool shards_frozen = false;      ///< corpus.shard_size changes nothing any more.
  bool batch_size_frozen = false;  ///< The run directory is tied to encoder.batch_size.
};

/// What one picture may take while it is decoded and while it is encoded, as parts of config.memory alone,
/// whatever the cores and the ranks: the same pictures fit everywhere.
inline constexpr std::uint64_t kDecodePart = 8;
inline constexpr std::uint64_t kEncodePart = 2;

/// Predicts every stage. Throws Error(kConfig), naming the stage and the least limit that would do, when one
/// cannot keep within config.memory; also what else can be lowered, of that which can still be changed. The
/// same where ranking cannot balance within curation.memory.
MemoryPlan plan_memory(const RunConfig& config, const MemoryDemand& demand);

/// Predicts what the stages need. Collective. Throws Error(kConfig) as plan_memory() does.
MemoryPlan check_memory(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder,
                        const comm::Communicator& comm);

/// What is known once the encoder, which outlives it, is loaded, with the largest process of all ranks and
/// the plan's largest shard left to the caller. Collective.
MemoryDemand memory_demand(const encoder::Encoder& encoder, const comm::Communicator& comm);
/// How an embedding pass over this plan divides config.memory. Collective.
dataset::EmbedMemory embed_memory(const RunConfig& config, const corpus::Plan& plan,
                                  const encoder::Encoder& encoder, const comm::Communicator& comm);
/// Logs the prediction, on root.
void report_memory(const MemoryPlan& memory, const comm::Communicator& comm);
/// "embed 1.2 GiB (a shard's rows ...)", one line for each stage, with the process before them.
std::vector<std::string> describe(const MemoryPlan& plan);

/// What k-means may allocate on this rank now: what config.memory leaves beside the process, and never less
/// than it can work in; 0: no limit.
std::uint64_t kmeans_limit(const RunConfig& config, std::size_t dimension, int k,
                           const comm::Communicator& comm);

}  // namespace quasar::pipeline
