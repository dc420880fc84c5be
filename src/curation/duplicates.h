// Internal to the module: which rows are copies of better ones that are kept, over all ranks.
//
// Two rows are alike when their bytes are the same, their PDQ hashes differ in few bits, or their embeddings,
// where they share a cluster, point in nearly the same direction (cluster/cosine_pairs.h). Rows are looked
// at best first, and one goes only when it is like a better one that is *kept*: the lexicographically first
// maximal independent set of what is alike, in the order of rows. There is one such set, so that the outcome
// depends on the rows alone. Rows of other sets (`against`) come before all, and all stay:
// of these the nearest is named, by its hash before its embedding.
//
// Equal rows are taken as one first. The others are gone through in blocks of growing size: the pairs within
// a block are found and decided, in rounds in which every row decides whose better neighbours have; then all
// later rows that are like a kept one of the block go. SemDeDup's rule, where it is asked for, then takes
// away what is like a better row of its cluster, be that kept or not. No more pairs are held than lie within
// one block of what is left, which are few however many rows are alike (Fischer, Noever 2018); a block with
// more than an eighth of the memory holds is halved.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "comm/communicator.h"
#include "curation/duplicate_rule.h"
#include "curation/fingerprint.h"

namespace quasar::curation {

/// What becomes of a row.
struct Fate {
  Likeness likeness = Likeness::kNone;  ///< kNone: it stays.
  bool outside = false;                 ///< Like a row of another set.
  std::size_t set = 0;                  ///< Which of those.
  std::string_view of = {};             ///< Which row it is like: its id, or how another set names it.
  unsigned distance = 0;                ///< Bits of PDQ; 1 - cosine in ten-thousandths; 0 for equal bytes.
  std::uint64_t group = 0;              ///< Rows of its group, with the one kept; 0 where it is alone.
};

class Duplicates {
 public:
  /// `scratch`: a folder of this job that all ranks see. `memory`: bytes for this rank. `vectors`: for a rule
  /// that asks for cosines. All outlive it.
  Duplicates(const DuplicateRule& rule, const std::filesystem::path& scratch, std::uint64_t memory,
             const comm::Communicator& comm, VectorsOf vectors = {});
  ~Duplicates();
  Duplicates(const Duplicates&) = delete;
  Duplicates& operator=(const Duplicates&) = delete;

  /// Adds a row of another set, by its place in the rule, before all others. Ranks have consecutive parts of
  /// them. Not collective.
  void add_outside(std::size_t set, const Fingerprint& print, std::string_view name);
  /// Adds this rank's next row; ranks have consecutive parts of the order. Not collective.
  void add(const Fingerprint& print, std::string_view id);

  /// Decides. Collective. Throws Error(kInterrupted) when `stop_requested` says so.
  void solve(const std::function<bool()>& stop_requested);

  /// Whether this rank's row of that place, from 0, stays.
  bool stays(std::size_t place) const;
  /// Of this rank's rows, in the order in which they were added; the text is valid until the next call.
  Fate next();
  /// Rows that go on the ranks before this one.
  std::uint64_t gone_before() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::curation
