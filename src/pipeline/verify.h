// Owns the check of a run against its images: stored shards against their checksums, and random rows against
// what the encoder makes of their images now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "encoder/encoder.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

struct VerifyJob {
  std::uint64_t sample = 100;  ///< Rows with status ok to recompute; all, when there are fewer.
  std::uint64_t seed = 1;      ///< Of the choice.
  /// Largest |recomputed - stored| / |stored| (L2) that counts as equal. 0 is exact and what the same kind of
  /// processor gives: an embedding depends on the picture and on the shape of the batch alone, and a row is
  /// recomputed at its place in a batch of the shape it had. Another kind of processor sums in another order:
  /// float32 then differs by about 1e-5, float16 and bfloat16 arithmetic by about 1e-2.
  double tolerance = 0;
};

/// What verification found, the same on every rank.
struct VerifyResult {
  std::uint64_t shards = 0;          ///< Whose checksums were compared.
  std::uint64_t shards_missing = 0;  ///< Not embedded yet.
  std::uint64_t rows = 0;            ///< Recomputed.
  double largest_difference = 0;     ///< Of the rows with unchanged images, relative, as in VerifyJob.
  std::vector<std::string> faults;   ///< One sentence each, naming the shard, or row and image.
};

/// Reads every shard of config.run that is there, and recomputes a sample of its rows. Changes nothing.
/// Collective. Throws Error(kInput) when there is no run or no shard, Error(kMismatch) when the run has other
/// settings or another encoder than the configuration. Faults are returned, not thrown.
VerifyResult verify(const RunConfig& config, const VerifyJob& job, encoder::Encoder& encoder,
                    const comm::Communicator& comm);

}  // namespace quasar::pipeline
