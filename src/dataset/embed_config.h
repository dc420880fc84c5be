// Owns how an embedding pass uses a rank: its threads and its memory. None of it changes results.
#pragma once

#include <cstdint>

namespace quasar::dataset {

/// How the embedding loop uses a rank's cores.
struct EmbedConfig {
  int decode_threads = 0;         ///< Threads that read and decode; 0: one per core of this rank.
  int encode_threads = 0;         ///< Threads that encode on the CPU; 0: one per core of this rank.
  int batches_in_flight = 4;      ///< Batches decoded ahead of the encoder.
  int perceptual_hashes = 0;      ///< Of each picture: 0, 1, or 8 for all poses.
  double stall_timeout_s = 1800;  ///< The job ends when a rank gets nothing done for so long, seconds.
};

/// What an embedding pass may take of a rank's memory, bytes; 0: no limit.
struct EmbedMemory {
  std::uint64_t decode = 0;       ///< All decode workers together, as decode::PoolConfig::memory.
  std::uint64_t encode = 0;       ///< Decoded pictures of different shapes, with what encoding them takes.
  std::uint64_t encode_most = 0;  ///< Of these, one picture: more is kOutOfMemory.
};

}  // namespace quasar::dataset
