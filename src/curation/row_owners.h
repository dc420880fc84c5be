// Internal to the module: which rank holds which row, where ranks have consecutive parts of the rows of other
// sets, and then of those that are ranked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/errors.h"
#include "comm/communicator.h"

namespace quasar::curation {

/// Rows have numbers: those of other sets first, then the others, each in the order of the ranks. On a rank
/// they lie in this order at places from 0.
class RowOwners {
 public:
  /// Collective.
  RowOwners(std::uint64_t outside_here, std::uint64_t ranked_here, const comm::Communicator& comm)
      : rank_(static_cast<std::size_t>(comm.rank())),
        begins_(2 * static_cast<std::size_t>(comm.size()) + 1, 0) {
    const auto ranks = static_cast<std::size_t>(comm.size());
    begins_[rank_ + 1] = outside_here;
    begins_[ranks + rank_ + 1] = ranked_here;
    comm.all_reduce(begins_, comm::Reduction::kSum);
    for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
  }

  std::uint64_t all() const { return begins_.back(); }
  std::uint64_t outside() const { return begins_[ranks()]; }
  std::size_t owner(std::uint64_t number) const { return part_of(number) % ranks(); }
  bool is_local(std::uint64_t number) const { return owner(number) == rank_; }
  std::uint64_t number(std::size_t place) const {
    const std::uint64_t outside_here = begins_[rank_ + 1] - begins_[rank_];
    return place < outside_here ? begins_[rank_] + place : begins_[ranks() + rank_] + place - outside_here;
  }
  /// Place of a row of this rank.
  std::size_t local(std::uint64_t number) const {
    const std::size_t part = part_of(number);
    QUASAR_CHECK(part % ranks() == rank_);
    return static_cast<std::size_t>(number - begins_[part] +
                                    (part < ranks() ? 0 : begins_[rank_ + 1] - begins_[rank_]));
  }
  /// Place of the first row of this rank that has at least this number, none of other sets.
  std::size_t first_local(std::uint64_t number) const {
    const std::uint64_t begin = begins_[ranks() + rank_];
    const std::uint64_t end = begins_[ranks() + rank_ + 1];
    return static_cast<std::size_t>(std::clamp(number, begin, end) - begin + begins_[rank_ + 1] -
                                    begins_[rank_]);
  }

 private:
  std::size_t ranks() const { return begins_.size() / 2; }
  std::size_t part_of(std::uint64_t number) const {
    QUASAR_CHECK(number < all());
    return static_cast<std::size_t>(std::upper_bound(begins_.begin(), begins_.end(), number) -
                                    begins_.begin() - 1);
  }

  std::size_t rank_;
  std::vector<std::uint64_t> begins_;  ///< Of each rank's part of the one, then of the other.
};

}  // namespace quasar::curation
