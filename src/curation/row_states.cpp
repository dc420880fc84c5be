#include "curation/row_states.h"

#include <span>
#include <string>
#include <tuple>

#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::curation {

RowStates::RowStates(std::size_t outside_here, std::size_t ranked_here, const comm::Communicator& comm)
    : comm_(comm),
      outside_here_(outside_here),
      owners_(outside_here, ranked_here, comm),
      states_(outside_here + ranked_here) {
  for (std::size_t i = 0; i < outside_here; ++i) states_[i].standing = Standing::kKept;
}

void RowStates::note_best(std::size_t place, std::uint64_t kept, std::uint64_t distance, Likeness likeness) {
  auto& row = states_[place];
  const auto found = std::tuple(kept, likeness, static_cast<std::uint16_t>(distance));
  if (row.other == kNoRow || found < std::tuple(row.other, row.likeness, row.distance))
    std::tie(row.other, row.likeness, row.distance) = found;
}

void RowStates::note_nearest(std::size_t place, std::uint64_t outside, std::uint64_t distance,
                             Likeness likeness) {
  auto& row = states_[place];
  row.likeness = likeness;
  const auto found = std::pair(static_cast<std::uint16_t>(distance), outside);
  if (row.other == kNoRow || found < std::pair(row.distance, row.other))
    std::tie(row.distance, row.other) = found;
}

RowSet RowStates::chosen_of_all(const Chosen& chosen) const {
  std::vector<char> bits((owners_.all() + 7) / 8, 0);
  std::string mine;
  std::uint64_t first = 0;
  // Those of a rank lie together.
  if (size() > outside_here_) {
    first = number(outside_here_) / 8;
    mine.assign(number(size() - 1) / 8 - first + 1, 0);
  }
  for (std::size_t i = outside_here_; i < size(); ++i) {
    if (!chosen[i]) continue;
    char& eight = mine[number(i) / 8 - first];
    eight = static_cast<char>(static_cast<unsigned char>(eight) | 1U << (number(i) % 8));
  }
  std::string packed;
  base::pack(first, packed);
  for (const auto& part : comm_.all_gather(packed + mine)) {
    const auto at = base::load<std::uint64_t>(std::as_bytes(std::span(part)), 0);
    for (std::size_t i = sizeof(at); i < part.size(); ++i) bits[at + i - sizeof(at)] |= part[i];
  }
  return RowSet(std::move(bits));
}

}  // namespace quasar::curation
