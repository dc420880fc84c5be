// Internal to the module: owns the decision which rows of a block stay, from the pairs that are alike in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/hamming_pairs.h"
#include "curation/row_messages.h"
#include "curation/row_states.h"

namespace quasar::curation {

/// A row goes when one of the better ones that it is like stays, and stays when all of them go. So it waits
/// until enough of them have decided: whoever decides tells the worse ones, in rounds over the ranks.
class BlockDecision {
 public:
  /// How many pairs a rank may hold of the memory it has, at least a few ten thousand, and their bytes.
  static std::size_t most_pairs(std::uint64_t memory);
  static std::uint64_t bytes_of(std::size_t pairs);

  /// Of the open rows with numbers from `begin` up to `end`. All outlive it.
  BlockDecision(RowStates& rows, const RowMessages& messages, std::uint64_t begin, std::uint64_t end,
                std::size_t most_pairs);

  /// Takes pairs of open rows of the block, the probe being the better, on whatever rank; a pair may come
  /// twice. Collective.
  void add(std::span<const cluster::NearPair> pairs, Likeness likeness);
  /// Decides all open rows of the block. False, with nothing decided, where there were more pairs than a rank
  /// may hold. Collective.
  bool decide();

 private:
  /// A pair, held by the rank of the better row.
  struct Edge {
    std::uint64_t better = 0;
    std::uint64_t worse = 0;
    std::uint32_t distance = 0;
    Likeness likeness = Likeness::kNone;
  };
  /// To the rank of a row: a better one that is like it has decided.
  struct Word {
    std::uint64_t row = 0;
    std::uint64_t better = 0;
    std::uint32_t distance = 0;
    std::uint16_t kept = 0;  ///< 1: the better one stays.
    Likeness likeness = Likeness::kNone;
  };

  void settle(std::size_t place, Standing standing);
  void hear(const Word& word);
  void hear_all();

  RowStates& rows_;
  const RowMessages& messages_;
  std::size_t begin_;  ///< Places of the block on this rank.
  std::size_t end_;
  std::size_t most_pairs_;
  bool too_many_ = false;
  std::vector<Edge> edges_;
  std::vector<Word> here_;   ///< Not heard yet, to rows of this rank.
  std::vector<Word> there_;  ///< To others.
};

}  // namespace quasar::curation
