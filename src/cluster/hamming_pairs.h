// Owns the search for all pairs of 256-bit hashes that differ in few bits, over all ranks, exactly.
//
// Pigeonhole: two hashes that differ in at most t bits differ in at most t / 16 bits of one of their 16 words
// of 16 bits. So for each word, rows go to the ranks by the word's value, and each is compared with those
// whose word is that near. A pair is told at its first such word alone.
//
// One side, the homes, lies in memory, by value, in as many parts as the memory asks for; the other streams
// by. A value that many rows share is cut into parts of its own, so that ranks have equal work.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cluster/thread_team.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// 256 bits; word w is bits 16 (w % 4) to 16 (w % 4) + 15 of element w / 4.
using HashBits = std::array<std::uint64_t, 4>;

/// Number of bits in which two hashes differ.
unsigned hamming_distance(const HashBits& a, const HashBits& b);

/// A hash of a row. A row may have several.
struct HashedRow {
  HashBits bits{};
  std::uint64_t number = 0;  ///< Of the row, over all ranks.
};

struct NearPair {
  std::uint64_t probe = 0;
  std::uint64_t home = 0;
  std::uint64_t distance = 0;
};

/// Fills the chunk with this rank's next rows, at most `most`; leaves it empty at the end.
using HashStream = std::function<void(std::vector<HashedRow>& chunk, std::size_t most)>;
/// Begins a pass over rows of this rank.
using HashSource = std::function<HashStream()>;

struct NearSearch {
  HashSource probes;
  HashSource homes;
  unsigned threshold = 31;  ///< Bits; below 64.
  bool one_set = false;     ///< Probes and homes are the same rows: a pair's probe has the lower number.
  /// Bytes that this rank's part of the homes and the pairs on their way to `take` may take, at least a few
  /// thousand of each. One probe's pairs are not parted.
  std::uint64_t memory = 0;
  /// Where a rank has to look at no more pairs than that, it looks at each: that takes a second, and no
  /// rounds of messages.
  double few_pairs = 1U << 29U;
};

/// What a search did on this rank.
struct NearSearchStatistics {
  std::uint64_t comparisons = 0;
  std::uint64_t passes = 0;  ///< Parts of homes held, one after the other, over all words.
};

/// Finds all pairs of a probe and a home within the threshold. `take` gets them, a part at a time, on the
/// rank that finds them; a row of several hashes may come several times. `take` is called on all ranks
/// together, and may be collective. Collective. Throws what the sources throw, on every rank.
NearSearchStatistics find_near(const NearSearch& search, ThreadTeam& team, const comm::Communicator& comm,
                               const std::function<void(std::span<const NearPair>)>& take);

}  // namespace quasar::cluster
