// Owns the pass that makes or continues an embedded data set: what is missing of its shards is taken from
// where runs share them, or embedded. Shards are handed out to all ranks; within a rank, threads read and
// decode ahead of threads that encode.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "comm/communicator.h"
#include "dataset/data_set.h"
#include "dataset/embed_config.h"
#include "dataset/part.h"
#include "dataset/retry.h"
#include "dataset/shared_shards.h"
#include "dataset/stored_vectors.h"
#include "encoder/encoder.h"
#include "image/decode_config.h"
#include "store/embedding_shard.h"

namespace quasar::dataset {

/// What an embedding pass did, over all ranks.
struct EmbedStatistics {
  std::uint64_t rows = 0;          ///< Rows of the plan's part, earlier runs' included.
  std::uint64_t embedded_now = 0;  ///< Rows worked on in this pass.
  int shards = 0;
  int shards_found_finished = 0;
  int shards_shared = 0;  ///< Of those: embedded by another run.
  std::map<base::RowStatus, std::uint64_t> by_status;
};

/// Everything the pass needs; referenced objects outlive the call.
struct EmbedJob {
  const DataSet& set;
  encoder::Encoder& encoder;
  const image::DecodeConfig& decode;
  EmbedConfig threads;
  int batch_size = 32;
  EmbedMemory memory = {};
  bool half = false;  ///< Store embeddings as float16.
  const StoredVectors* vectors =
      nullptr;                           ///< Embeddings are taken from here and no picture is read; or null.
  const SharedShards* shared = nullptr;  ///< Where shards are taken from, and left for other runs; or null.
  std::string what = "embed";            ///< Name in the progress line.
  Part part = {};                        ///< The shards to work on; other jobs have the others.
  std::optional<RetryFailed> retry =
      {};  ///< Redo failed rows of finished shards; their ok rows stay as they are.
};

/// Embeds every shard of the part that is not finished yet; then writes the virtual dataset, if the shards of
/// the other parts are there too (so the job that ends last writes it). Collective.
/// Throws Error(kInterrupted) when a stop was asked for (finished shards stay), Error(kMismatch) when
/// finished shards came from another encoder.
EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm);

}  // namespace quasar::dataset
