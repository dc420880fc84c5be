// Internal to the module: owns the search for rows of equal or near hashes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "curation/duplicate_rule.h"
#include "curation/likeness_search.h"
#include "curation/row_prints.h"

namespace quasar::curation {

/// As a LikenessSearch, of pictures whose PDQ hashes differ in few bits, the better one, or the one that is
/// of no other set, in all its poses.
class HashSearch final : public LikenessSearch {
 public:
  /// `memory`: bytes for this rank. All outlive it.
  HashSearch(const DuplicateRule& rule, const RowPrints& prints, const RowStates& rows, std::uint64_t memory,
             const std::function<bool()>& stop_requested);

  /// Calls `take` for each row of this rank whose hash, of bytes (kExact) or of the upright picture
  /// (kPerceptual), a row of a lower number has, with the lowest. Rows of other sets may be chosen, too.
  /// Collective.
  void find_equal(Likeness likeness, const Chosen& chosen,
                  const std::function<void(std::uint64_t number, std::uint64_t lowest)>& take) const;

  Likeness likeness() const override { return Likeness::kPerceptual; }
  void within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) override;
  void across(const Chosen& chosen, std::uint64_t boundary, cluster::ThreadTeam& team,
              const TakePairs& take) override;
  void with_outside(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) override;

 private:
  /// Which hashes a pass gives of a row.
  enum class Hashes { kBytes, kUpright, kAllPoses };

  /// Rows of this rank, in order, which are chosen and have such hashes. `chosen` outlives it.
  cluster::HashSource source(Hashes hashes, const Chosen& chosen) const;
  void read(Hashes hashes, const PackedHashes& packed, std::uint64_t number,
            std::vector<cluster::HashedRow>& chunk) const;
  cluster::NearSearch near(const Chosen& probes, const Chosen& homes) const;

  const DuplicateRule& rule_;
  const RowPrints& prints_;
  const RowStates& rows_;
  std::uint64_t memory_;
  const std::function<bool()>& stop_requested_;
};

}  // namespace quasar::curation
