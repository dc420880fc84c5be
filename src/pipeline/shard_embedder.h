// Owns the embedding of one shard on one rank: decode threads, a bounded number of batches, encode threads.
#pragma once

#include <cstdint>
#include <functional>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "pipeline/embed.h"

namespace quasar::pipeline {

/// Embeds one shard and writes its file. `report(n)` is called on this thread, now and then, with the rows
/// finished since the last call. Throws what stopped the shard; nothing is left behind then. Throws
/// Error(kInterrupted) when a stop was asked for.
void embed_shard(const EmbedJob& job, const store::EncoderIdentity& identity, const corpus::Shard& shard,
                 const comm::Communicator& comm, const std::function<void(std::uint64_t)>& report);

/// Threads this rank may use: the cores it is allowed, shared among the ranks of the machine.
int cores_of_rank(const comm::Communicator& comm);

}  // namespace quasar::pipeline
