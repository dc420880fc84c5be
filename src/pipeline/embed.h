// Owns the loop that turns a plan into embedding shards: shards are taken from a counter that all ranks
// share; within a rank, threads read and decode ahead of threads that encode; the rank's own thread writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "comm/communicator.h"
#include "corpus/plan.h"
#include "encoder/encoder.h"
#include "image/decode_config.h"
#include "image/raster.h"
#include "pipeline/part.h"
#include "pipeline/retry.h"
#include "pipeline/run_config.h"
#include "store/embedding_shard.h"

namespace quasar::pipeline {

/// What an embedding pass did, over all ranks.
struct EmbedStatistics {
  std::uint64_t rows = 0;          ///< Rows of the plan's part, earlier runs' included.
  std::uint64_t embedded_now = 0;  ///< Rows worked on in this pass.
  int shards = 0;
  int shards_found_finished = 0;
  std::map<base::RowStatus, std::uint64_t> by_status;
};

/// What an embedding pass may take of a rank's memory, bytes; 0: no limit.
struct EmbedMemory {
  std::uint64_t decode = 0;       ///< All decode workers together, as decode::PoolConfig::memory.
  std::uint64_t encode = 0;       ///< Decoded pictures of different shapes, with what encoding them takes.
  std::uint64_t encode_most = 0;  ///< Of these, one picture: more is kOutOfMemory.
};

/// Everything the pass needs; referenced objects outlive the call.
struct EmbedJob {
  const corpus::Plan& plan;
  std::filesystem::path folder;  ///< Run directory; shards go to its embeddings/.
  encoder::Encoder& encoder;
  const image::DecodeConfig& decode;
  EmbedConfig threads;
  int batch_size = 32;
  EmbedMemory memory = {};
  bool half = false;
  std::string what = "embed";  ///< Name in the progress line.
  Part part = {};              ///< The shards to work on; other jobs have the others.
  std::optional<RetryFailed> retry =
      {};  ///< Redo failed rows of finished shards; their ok rows stay as they are.
};

/// Name of a shard's file below `folder`.
std::filesystem::path shard_path(const std::filesystem::path& folder, int shard);

/// The encoder's fingerprint as stored, the decode settings that change pixels included.
base::EncoderIdentity encoder_identity(const encoder::Encoder& encoder, const image::DecodeConfig& decode);

/// Throws Error(kMismatch), naming the shard's file, when it was not `configured` that embedded it.
void check_shard_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& found,
                         const base::EncoderIdentity& configured);

/// Embeds every shard of the part that is not finished yet; then writes the virtual dataset, if the shards of
/// the other parts are there too (so the job that ends last writes it). Collective.
/// Throws Error(kInterrupted) when a stop was asked for (finished shards stay), Error(kMismatch) when
/// finished shards came from another encoder.
EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm);

}  // namespace quasar::pipeline
