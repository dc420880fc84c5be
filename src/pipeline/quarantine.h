// Owns the rows that are not decoded any more because they ended a process: RUN/state/quarantine.jsonl, and
// how the journals of dead processes lead to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "base/status.h"
#include "comm/communicator.h"
#include "corpus/plan.h"
#include "image/decode_config.h"
#include "pipeline/part.h"
#include "pipeline/retry.h"

namespace quasar::pipeline {

/// A row's verdict.
struct Quarantined {
  std::string id;  ///< Of the item, to be sure that the row still is the same image.
  base::RowStatus status = base::RowStatus::kCrashed;  ///< kCrashed or kTimedOut.
  std::string error;
};

/// By row over the whole plan.
using Quarantine = std::map<std::uint64_t, Quarantined>;

/// Throws Error(kInput), with file and line, for a damaged file.
Quarantine read_quarantine(const std::filesystem::path& state_folder);

/// Changes the file while no other job does; the quarantine afterwards.
Quarantine update_quarantine(const std::filesystem::path& state_folder,
                             const std::function<void(Quarantine&)>& change);

/// What settle_suspects needs to know.
struct SuspectJob {
  const corpus::Plan& plan;
  std::filesystem::path state_folder;
  Part part;
  const std::vector<int>& missing_shards;  ///< Of the part. Suspects in its other shards are settled.
  const image::DecodeConfig& decode;
  const base::InputSpec& spec;
  const std::optional<RetryFailed>& retry;  ///< Rows under quarantine that it covers are tried again too.
};

/// Reads the journals that dead processes left, tries each image that was in a decoder then in a process of
/// its own, puts those that fail again under quarantine, and removes the journals. An image that the watchdog
/// had ended its process for is put there at once; one that decodes alone, when it was in too many processes
/// that died (crash_counts.h). What a killed process was innocently at goes on as if nothing had been. The
/// whole quarantine, on every rank. Collective.
Quarantine settle_suspects(const SuspectJob& job, const comm::Communicator& comm);

}  // namespace quasar::pipeline
