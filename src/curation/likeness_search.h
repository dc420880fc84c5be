// Internal to the module: owns the interface of a search for pairs of rows that are alike in one way, over
// all ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "cluster/hamming_pairs.h"
#include "cluster/thread_team.h"
#include "curation/fingerprint.h"
#include "curation/row_states.h"

namespace quasar::curation {

/// Gets pairs a part at a time, on the rank that finds them, on all ranks together; may be collective.
using TakePairs = std::function<void(std::span<const cluster::NearPair>)>;

/// A pair may be found twice. Looked at are rows that can be compared and are `chosen`, none of them of
/// another set. All is collective, and throws Error(kInterrupted) when the job is to stop.
class LikenessSearch {
 public:
  virtual ~LikenessSearch() = default;

  virtual Likeness likeness() const = 0;
  /// Pairs of chosen rows: the probe is the better one.
  virtual void within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) = 0;
  /// Pairs of a chosen row below the number `boundary`, the probe, and a chosen one from there on; of those
  /// of the latter that with the best probe at least.
  virtual void across(const Chosen& chosen, std::uint64_t boundary, cluster::ThreadTeam& team,
                      const TakePairs& take) = 0;
  /// Pairs of a chosen row, the probe, and a row of another set.
  virtual void with_outside(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) = 0;
};

}  // namespace quasar::curation
