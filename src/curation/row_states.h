// Internal to the module: owns how each row stands in a search for duplicates: whether it stays, and if not,
// which row it is like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "curation/fingerprint.h"
#include "curation/row_owners.h"

namespace quasar::curation {

inline constexpr std::uint64_t kNoRow = std::numeric_limits<std::uint64_t>::max();

enum class Standing : std::uint8_t {
  kOpen,
  kKept,
  kGone,    ///< Like the row `other`, which is kept.
  kFollows  ///< Equal to the row `other`, with which it stays or goes.
};

struct RowState {
  std::uint64_t other = kNoRow;
  std::uint32_t waits_for = 0;  ///< Better rows in its block that are like it and have not decided.
  std::uint16_t distance = 0;
  Standing standing = Standing::kOpen;
  Likeness likeness = Likeness::kNone;
};

/// Which rows of this rank are meant, by place: a search that goes through its rows several times finds the
/// same ones each time, however many have gone by then.
using Chosen = std::vector<bool>;

/// Some of all ranks' rows, by number: a bit for each.
class RowSet {
 public:
  explicit RowSet(std::vector<char> bits) : bits_(std::move(bits)) {}
  bool contains(std::uint64_t number) const {
    return (static_cast<unsigned char>(bits_[number / 8]) >> (number % 8) & 1U) != 0;
  }

 private:
  std::vector<char> bits_;
};

/// The rows of this rank, by place (row_owners.h). Those of other sets are kept, the others open at first.
class RowStates {
 public:
  /// `comm` outlives it. Collective.
  RowStates(std::size_t outside_here, std::size_t ranked_here, const comm::Communicator& comm);

  const comm::Communicator& comm() const { return comm_; }
  const RowOwners& owners() const { return owners_; }
  std::size_t size() const { return states_.size(); }
  std::size_t outside_here() const { return outside_here_; }
  RowState& operator[](std::size_t place) { return states_[place]; }
  const RowState& operator[](std::size_t place) const { return states_[place]; }
  std::uint64_t number(std::size_t place) const { return owners_.number(place); }
  bool is_open(std::size_t place) const { return states_[place].standing == Standing::kOpen; }

  /// Notes that the row is like a kept one; the best of these stands.
  void note_best(std::size_t place, std::uint64_t kept, std::uint64_t distance, Likeness likeness);
  /// Notes that the row is like one of another set; the nearest of these stands.
  void note_nearest(std::size_t place, std::uint64_t outside, std::uint64_t distance, Likeness likeness);

  /// The rows of which `is_chosen(place)` says so now.
  template <typename IsChosen>
  Chosen choose(const IsChosen& is_chosen) const {
    Chosen chosen(size());
    for (std::size_t i = 0; i < size(); ++i) chosen[i] = is_chosen(i);
    return chosen;
  }
  /// What is chosen on all ranks, rows of other sets left out. Collective.
  RowSet chosen_of_all(const Chosen& chosen) const;

 private:
  const comm::Communicator& comm_;
  std::size_t outside_here_;
  RowOwners owners_;
  std::vector<RowState> states_;
};

}  // namespace quasar::curation
