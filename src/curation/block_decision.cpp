#include "curation/block_decision.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/activity.h"

namespace quasar::curation {

using cluster::NearPair;

std::size_t BlockDecision::most_pairs(std::uint64_t memory) {
  constexpr std::uint64_t kShare = 8;
  constexpr std::size_t kLeast = std::size_t{1} << 16U;
  return std::max(kLeast, static_cast<std::size_t>(memory / kShare / sizeof(Edge)));
}

std::uint64_t BlockDecision::bytes_of(std::size_t pairs) {
  return pairs * sizeof(Edge);
}

BlockDecision::BlockDecision(RowStates& rows, const RowMessages& messages, std::uint64_t begin,
                             std::uint64_t end, std::size_t most_pairs)
    : rows_(rows),
      messages_(messages),
      begin_(rows.owners().first_local(begin)),
      end_(rows.owners().first_local(end)),
      most_pairs_(most_pairs) {}

void BlockDecision::add(std::span<const NearPair> pairs, Likeness likeness) {
  const auto& owners = rows_.owners();
  // To both, of which one may be on the same rank as the other.
  std::vector<std::vector<NearPair>> parts(static_cast<std::size_t>(rows_.comm().size()));
  for (const auto& pair : pairs) {
    const std::size_t better = owners.owner(pair.probe);
    parts[better].push_back(pair);
    if (const std::size_t worse = owners.owner(pair.home); worse != better) parts[worse].push_back(pair);
  }
  for (const auto& part : rows_.comm().exchange(parts)) {
    too_many_ = too_many_ || edges_.size() + part.size() > most_pairs_;
    if (too_many_) continue;
    for (const auto& pair : part) {
      if (owners.is_local(pair.probe))
        edges_.push_back({pair.probe, pair.home, static_cast<std::uint32_t>(pair.distance), likeness});
      if (owners.is_local(pair.home)) ++rows_[owners.local(pair.home)].waits_for;
    }
  }
}

bool BlockDecision::decide() {
  if (rows_.comm().all_reduce(std::int64_t{too_many_ ? 1 : 0}, comm::Reduction::kMax) != 0) {
    for (std::size_t i = begin_; i < end_; ++i) rows_[i].waits_for = 0;
    return false;
  }
  std::ranges::sort(edges_, [](const Edge& a, const Edge& b) {
    return std::tuple(a.better, a.worse, a.likeness) < std::tuple(b.better, b.worse, b.likeness);
  });
  for (std::size_t i = begin_; i < end_; ++i) {
    if (rows_.is_open(i) && rows_[i].waits_for == 0) settle(i, Standing::kKept);
  }
  hear_all();
  return true;
}

void BlockDecision::hear_all() {
  while (true) {
    while (!here_.empty()) {
      const Word word = here_.back();
      here_.pop_back();
      hear(word);
    }
    const auto said = std::exchange(there_, {});
    if (rows_.comm().all_reduce(static_cast<std::int64_t>(said.size()), comm::Reduction::kMax) == 0) return;
    messages_.deliver<Word>(
        said, [](const Word& word) { return word.row; }, [&](const Word& word) { hear(word); });
    base::note_activity();
  }
}

void BlockDecision::hear(const Word& word) {
  const std::size_t i = rows_.owners().local(word.row);
  auto& row = rows_[i];
  --row.waits_for;
  const bool kept = word.kept != 0;
  if (kept) rows_.note_best(i, word.better, word.distance, word.likeness);
  if (!rows_.is_open(i)) return;
  if (kept) {
    settle(i, Standing::kGone);
  } else if (row.waits_for == 0) {
    settle(i, Standing::kKept);
  }
}

/// Tells the worse rows that are like it, too.
void BlockDecision::settle(std::size_t place, Standing standing) {
  rows_[place].standing = standing;
  const auto kept = static_cast<std::uint16_t>(standing == Standing::kKept ? 1 : 0);
  const std::uint64_t number = rows_.number(place);
  auto edge = std::ranges::lower_bound(edges_, number, {}, &Edge::better);
  for (; edge != edges_.end() && edge->better == number; ++edge) {
    const Word word{edge->worse, number, edge->distance, kept, edge->likeness};
    (rows_.owners().is_local(word.row) ? here_ : there_).push_back(word);
  }
}

}  // namespace quasar::curation
