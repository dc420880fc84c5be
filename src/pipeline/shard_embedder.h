// Owns the embedding of one shard on one rank: decode threads, a bounded number of batches, encode threads.
#pragma once

#include <cstdint>
#include <functional>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "pipeline/embed.h"
#include "pipeline/journal.h"
#include "pipeline/quarantine.h"
#include "pipeline/rank_metrics.h"

namespace quasar::pipeline {

/// Threads of one rank.
struct EmbedThreads {
  int decode = 1;
  int encode = 1;
};

/// What outlives a shard on its rank.
struct ShardContext {
  EmbedThreads threads;
  Journal& journal;  ///< A slot per decode thread.
  const Quarantine& quarantine;
  RankMetrics& metrics;
};

/// Embeds one shard and writes its file. With job.retry,
/// rows of a file that is there already and that need no retry are kept. `report(n)` is called on this
/// thread, now and then, with the rows finished since the last call. Throws what stopped the shard; nothing
/// is left behind then. Throws Error(kInterrupted) when a stop was asked for.
void embed_shard(const EmbedJob& job, const store::EncoderIdentity& identity, const corpus::Shard& shard,
                 const ShardContext& context, const std::function<void(std::uint64_t)>& report);

/// The configured numbers of threads, or those that fit the rank's cores. Collective.
EmbedThreads threads_of_rank(const EmbedConfig& config, const comm::Communicator& comm);

}  // namespace quasar::pipeline
