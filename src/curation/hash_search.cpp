#include "curation/hash_search.h"

#include <algorithm>

#include "base/errors.h"
#include "cluster/equal_hashes.h"

namespace quasar::curation {

HashSearch::HashSearch(const DuplicateRule& rule, const RowPrints& prints, const RowStates& rows,
                       std::uint64_t memory, const std::function<bool()>& stop_requested)
    : rule_(rule), prints_(prints), rows_(rows), memory_(memory), stop_requested_(stop_requested) {}

cluster::HashSource HashSearch::source(Hashes hashes, const Chosen& chosen) const {
  return [this, hashes, &chosen]() -> cluster::HashStream {
    return [this, hashes, &chosen, reader = RowPrints::Reader(prints_), place = std::size_t{0}](
               std::vector<cluster::HashedRow>& chunk, std::size_t most) mutable {
      if (stop_requested_ && stop_requested_())
        base::fail(base::ExitCode::kInterrupted,
                   "stopped while looking for duplicates; the same command starts again");
      const auto way = hashes == Hashes::kBytes ? Comparable::kBytes : Comparable::kPicture;
      chunk.clear();
      for (; place < rows_.size() && chunk.size() < most; ++place) {
        if (chosen[place] && prints_.can(place, way))
          read(hashes, reader.at(place), rows_.number(place), chunk);
      }
    };
  };
}

void HashSearch::read(Hashes hashes, const PackedHashes& packed, std::uint64_t number,
                      std::vector<cluster::HashedRow>& chunk) const {
  if (hashes == Hashes::kBytes) {
    chunk.push_back({packed.bytes(), number});
    return;
  }
  const std::size_t poses =
      hashes == Hashes::kUpright ? 1 : std::min(packed.pictures(), static_cast<std::size_t>(rule_.poses));
  for (std::size_t pose = 0; pose < poses; ++pose) chunk.push_back({packed.picture(pose), number});
}

void HashSearch::find_equal(
    Likeness likeness, const Chosen& chosen,
    const std::function<void(std::uint64_t number, std::uint64_t lowest)>& take) const {
  const auto hashes = likeness == Likeness::kExact ? Hashes::kBytes : Hashes::kUpright;
  cluster::find_equal(source(hashes, chosen), memory_, rows_.comm(), take);
}

cluster::NearSearch HashSearch::near(const Chosen& probes, const Chosen& homes) const {
  return {.probes = source(Hashes::kAllPoses, probes),
          .homes = source(Hashes::kUpright, homes),
          .threshold = static_cast<unsigned>(rule_.threshold),
          .memory = memory_};
}

void HashSearch::within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) {
  auto search = near(chosen, chosen);
  search.one_set = true;
  cluster::find_near(search, team, rows_.comm(), take);
}

void HashSearch::across(const Chosen& chosen, std::uint64_t boundary, cluster::ThreadTeam& team,
                        const TakePairs& take) {
  const auto before = rows_.choose([&](std::size_t i) { return chosen[i] && rows_.number(i) < boundary; });
  const auto behind = rows_.choose([&](std::size_t i) { return chosen[i] && rows_.number(i) >= boundary; });
  cluster::find_near(near(before, behind), team, rows_.comm(), take);
}

void HashSearch::with_outside(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) {
  const auto outside = rows_.choose([&](std::size_t i) { return i < rows_.outside_here(); });
  cluster::find_near(near(chosen, outside), team, rows_.comm(), take);
}

}  // namespace quasar::curation
