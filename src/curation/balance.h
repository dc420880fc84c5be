// Internal to the module: which rows make a sample that is even over what pictures show, over all ranks.
//
// Rows are clustered by the directions of their embeddings, clusters by their centroids, and so on
// (cluster/hierarchy.h); a target is shared out down that tree (cluster/balanced_sample.h), and of each
// level-1 cluster the best rows stay. The clusters of a run are kept in its directory, under the identity of
// the rows and settings, so that another target or another `keep` does not cluster again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "comm/communicator.h"
#include "curation/balance_rule.h"
#include "curation/curation_result.h"
#include "curation/manifest.h"
#include "store/run_layout.h"

namespace quasar::curation {

/// What balancing says of a row.
struct Balanced {
  std::span<const std::int32_t> clusters;  ///< By level, from level 1; valid until the next row.
  bool kept = false;
};

class Balance {
 public:
  /// `memory`: bytes for this rank. All outlive it.
  Balance(const store::RunLayout& run, const RankInput& input, const BalanceRule& rule, std::uint64_t memory,
          const comm::Communicator& comm);
  ~Balance();
  Balance(const Balance&) = delete;
  Balance& operator=(const Balance&) = delete;

  /// Adds this rank's next row, by its number in the plan; ranks have consecutive parts of the order. Not
  /// collective.
  void add(std::uint64_t row);

  /// Clusters and decides. Collective. Throws Error(kConfig) when the rule asks for more clusters than rows
  /// were added, Error(kInterrupted) when `stop_requested` says so; then the same call goes on from there.
  void solve(const std::function<bool()>& stop_requested);

  /// Of this rank's rows, in the order in which they were added.
  Balanced next();
  /// Rows that go on the ranks before this one.
  std::uint64_t gone_before() const;
  const BalanceCounts& counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::curation
