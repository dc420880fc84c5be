// Owns the way from scores to manifests: the global ranking of all rows of a run, what is kept and why, and
// the files that say so: manifest.csv, manifest.jsonl, summary.json, report.html.
//
// The bytes of every file depend on the scores, the rows and the configuration alone, not on the number of
// ranks, the order of shards or the memory allowed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "curation/curation_config.h"
#include "curation/curation_result.h"
#include "curation/row_details.h"
#include "store/run_layout.h"

namespace quasar::curation {

/// Where the rows of a run lie.
struct RankInput {
  store::DataSetLayout embeddings;
  store::RunLayout scores;
  std::vector<int> shards;                 ///< Numbers of the shards.
  std::vector<std::uint64_t> shard_first;  ///< Global number of each shard's first row, parallel to `shards`.
  std::map<std::string, std::uint64_t> left_out =
      {};  ///< What the corpus holds and the plan does not, by reason.
  std::map<std::string, std::uint64_t> noted = {};  ///< What the plan holds in another way, by reason.
};

/// Ranks the rows of all shards and writes the manifests into the run directory `run`. Collective; the result
/// is the same on every rank. `columns` are the anchor sets in the order of their columns. `versions`
/// (software name to version) goes into summary.json.
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
/// Error(kInterrupted), and the manifests stay as they were. `find_details`, when given, finds what the
/// report shows of rows beside what the manifest has.
CurationResult write_manifests(const store::RunLayout& run, const RankInput& input,
                               const std::vector<std::string>& columns, const CurationConfig& config,
                               const std::map<std::string, std::string>& versions,
                               const comm::Communicator& comm,
                               const std::function<bool()>& stop_requested = {},
                               const FindDetails& find_details = {});

}  // namespace quasar::curation
