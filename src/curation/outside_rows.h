// Internal to the module: the rows of other sets that kept rows must not be like, as this rank reads them,
// and their embeddings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/encoder_identity.h"
#include "cluster/row_source.h"
#include "comm/communicator.h"
#include "curation/duplicate_rule.h"
#include "curation/fingerprint.h"
#include "curation/manifest.h"

namespace quasar::curation {

/// The sets that a rule names, each a run directory or a file of hashes.
class OutsideSets {
 public:
  using Take = std::function<void(std::size_t set, const Fingerprint& print, std::string_view name)>;

  /// `rule` outlives it. Throws Error(kInput), and Error(kMismatch) for a damaged plan.
  explicit OutsideSets(const DuplicateRule& rule);

  /// Rows of all run directories. Their embeddings have the numbers below this, in the order of the sets.
  std::uint64_t vectors() const { return vectors_; }

  /// Calls `take` for each row of this rank's part of all sets, with the set's place in the rule. The parts
  /// of the ranks follow each other, whatever their number. `encoder`: this run's, where the rule asks for
  /// cosines. Not collective. Throws Error(kInput) for what cannot be read, with file and line, and
  /// Error(kMismatch) for a run without the hashes that are needed, or of another encoder, naming both.
  void for_each(const comm::Communicator& comm, const base::EncoderIdentity& encoder, const Take& take) const;

  /// The embeddings of these numbers, ascending; those from vectors() on are those of `own`, which outlives
  /// the result, as this does. Throws as RowVectors does.
  std::unique_ptr<cluster::RowSource> open_vectors(const RankInput& own,
                                                   std::vector<std::uint64_t> numbers) const;

 private:
  struct Set {
    RankInput shards;           ///< None of a file of hashes.
    std::uint64_t vectors = 0;  ///< Number of its first row's embedding.
  };

  const DuplicateRule& rule_;
  std::vector<Set> sets_;
  std::uint64_t vectors_ = 0;
};

}  // namespace quasar::curation
