// Internal to the module: owns what this rank's rows are compared by: in which ways each can be, and its
// hashes, which wait on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/hamming_pairs.h"
#include "curation/duplicate_rule.h"
#include "curation/fingerprint.h"
#include "curation/scratch_texts.h"

namespace quasar::curation {

/// Ways in which a row can be compared.
enum class Comparable : std::uint8_t { kBytes = 1, kPicture = 2, kVector = 4 };

/// The hashes of a row, as they lie on disk, which are not copied.
class PackedHashes {
 public:
  explicit PackedHashes(std::string_view packed);

  /// Of a row that has one.
  cluster::HashBits bytes() const;
  std::size_t pictures() const;
  cluster::HashBits picture(std::size_t pose) const;

 private:
  std::string_view bytes_;
  std::string_view pictures_;
};

/// Written once, then read.
class RowPrints {
 public:
  /// `rule` outlives it. Throws Error(kOutput) naming the file, which goes with the object.
  RowPrints(const DuplicateRule& rule, const std::filesystem::path& file);

  /// Adds the next row. Throws Error(kInput) for hashes that are none, Error(kOutput) when the disk is full.
  void add(const Fingerprint& print);
  /// Ends adding.
  void finish();

  /// Whether the row at that place can be compared so, and the rule asks for it.
  bool can(std::size_t place, Comparable way) const {
    return (ways_[place] & static_cast<std::uint8_t>(way)) != 0;
  }
  /// Gives up, by place, the number of each row's embedding, if the rule asks for cosines.
  std::vector<std::uint64_t> take_vectors() { return std::move(vectors_); }

  /// Reads the hashes of rows at ascending places.
  class Reader {
   public:
    explicit Reader(const RowPrints& prints) : prints_(prints) {}
    /// Valid until the next call.
    PackedHashes at(std::size_t place);

   private:
    const RowPrints& prints_;
    std::optional<ScratchTexts::Cursor> cursor_;
    std::size_t next_ = 0;  ///< Place of what the cursor gives next.
  };

 private:
  const DuplicateRule& rule_;
  ScratchTexts hashes_;
  std::vector<std::uint8_t> ways_;      ///< By place, of Comparable.
  std::vector<std::uint64_t> vectors_;  ///< By place.
};

}  // namespace quasar::curation
