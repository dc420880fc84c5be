// Owns the way from scores to manifests: the global ranking of all rows of a run, what is kept and why, and
// the files that say so: manifest.csv, manifest.jsonl, summary.json, report.html.
//
// The bytes of every file depend on the scores, the rows and the configuration alone, not on the number of
// ranks, the order of shards or the memory allowed.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "comm/communicator.h"
#include "curation/column_statistics.h"
#include "curation/curation_config.h"

namespace quasar::curation {

/// Where the rows of a run lie: shard i is embeddings/shard-%06d.h5 and scores/shard-%06d.h5 of shards[i].
struct RankInput {
  std::filesystem::path embeddings;
  std::filesystem::path scores;
  std::vector<int> shards;                 ///< Numbers of the shards.
  std::vector<std::uint64_t> shard_first;  ///< Global number of each shard's first row, parallel to `shards`.
};

/// What ranking found. The counts add up: rows = scored + failed, failed = sum of by_status without ok.
struct CurationResult {
  std::uint64_t rows = 0;
  std::uint64_t scored = 0;
  std::uint64_t failed = 0;
  std::uint64_t kept = 0;
  std::map<base::RowStatus, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t> by_reason;  ///< Of rows kept and dropped, as in the manifest.
  std::vector<std::pair<std::string, ColumnStatistics>>
      columns;  ///< Anchor sets, then combined when written.
};

/// Ranks the rows of all shards and writes the manifests into the folder `run`. Collective; the result is the
/// same on every rank. `columns` are the anchor sets in the order of their columns. `versions` (software name
/// to version) goes into summary.json.
///
/// A row is *scored* when its status is ok and its score is finite in every column; a row with status ok and
/// no finite score is counted, and written, as encode_failed. Ranks are 1-based: ranking score descending,
/// ties by id (as bytes), then by position in the plan; failed rows follow, by id, without a rank. The
/// percentile of a row is 100 * (share of the scored rows whose ranking score is not above its own): 100 for
/// the best.
///
/// When no row was scored the files are written all the same and the result has scored == 0.
/// Throws Error(kConfig) for columns that clash with the manifest's own or that `config` names but are not
/// there, Error(kInput) for shards that are missing or damaged, Error(kMismatch) when scores and rows differ
/// in number, Error(kOutput) when files cannot be written.
/// `stop_requested`, when given, is asked on every rank now and then; true on any of them ends the work with
/// Error(kInterrupted), and the manifests stay as they were.
CurationResult write_manifests(const std::filesystem::path& run, const RankInput& input,
                               const std::vector<std::string>& columns, const CurationConfig& config,
                               const std::map<std::string, std::string>& versions,
                               const comm::Communicator& comm,
                               const std::function<bool()>& stop_requested = {});

}  // namespace quasar::curation
