// Owns the settings of the search for duplicates: the section `curation.duplicates` of a configuration.
//
//   duplicates:
//     exact: true                                    # the same bytes
//     perceptual: {threshold: 31, quality: 50}       # or true
//     against: [benchmark.pdq, other-run]            # what is in these sets is dropped
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config_node.h"

namespace quasar::curation {

/// Hexadecimal digits of one PDQ hash.
inline constexpr std::size_t kPictureDigits = 64;
/// Other sets that a rule may name.
inline constexpr std::size_t kMostSets = 256;

struct DuplicateRule {
  bool exact = false;       ///< Rows of the same bytes (xxh128).
  bool perceptual = false;  ///< Rows whose PDQ hashes differ in few bits.
  int threshold = 31;       ///< Of PDQ, bits.
  int quality = 50;         ///< Of PDQ, 0 to 100: rows below match nothing.
  int poses = 1;            ///< Of PDQ: 8 finds turned and mirrored copies, too.
  /// Sets that no kept row may be in: files of lines `HASH QUALITY PATH` (quasar hash), or run directories.
  std::vector<std::filesystem::path> against;

  /// How the manifest names one of these sets.
  std::string set_name(std::size_t set) const;

  bool any() const { return exact || perceptual; }
  /// Hashes of each picture that are needed.
  int hashes() const { return perceptual ? poses : 0; }
};

/// Reads the section; null gives a rule that asks nothing. Throws Error(kConfig).
DuplicateRule duplicate_rule_from_yaml(const base::ConfigNode& node);

}  // namespace quasar::curation
