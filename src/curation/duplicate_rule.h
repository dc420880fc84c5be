// Owns the settings of the search for duplicates: the section `curation.duplicates` of a configuration.
//
//   duplicates:
//     exact: true                                    # the same bytes
//     perceptual: {threshold: 31, quality: 50}       # or true
//     cosine: {threshold: 0.95, clusters: auto, rule: greedy}   # or true
//     against: [benchmark.pdq, other-run]            # what is in these sets is dropped
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config_node.h"
#include "base/encoder_identity.h"

namespace quasar::curation {

/// Hexadecimal digits of one PDQ hash.
inline constexpr std::size_t kPictureDigits = 64;
/// Other sets that a rule may name.
inline constexpr std::size_t kMostSets = 256;

/// Of rows that are alike by their embeddings, which go.
enum class CosineRule {
  kGreedy,    ///< Those like a better one that is kept.
  kSemDeDup,  ///< Those like a better one of the same cluster, kept or not (Abbas et al. 2023).
};

struct DuplicateRule {
  bool exact = false;       ///< Rows of the same bytes (xxh128).
  bool perceptual = false;  ///< Rows whose PDQ hashes differ in few bits.
  int threshold = 31;       ///< Of PDQ, bits.
  int quality = 50;         ///< Of PDQ, 0 to 100: rows below match nothing.
  int poses = 1;            ///< Of PDQ: 8 finds turned and mirrored copies, too.
  bool cosine = false;      ///< Rows whose embeddings point in nearly the same direction.
  double least_cosine = 0.95;
  int clusters = 0;  ///< Of embeddings, in which alike ones are looked for; 0: by their number.
  CosineRule cosine_rule = CosineRule::kGreedy;
  /// Sets that no kept row may be in: files of lines `HASH QUALITY PATH` (quasar hash), or run directories.
  std::vector<std::filesystem::path> against;

  /// How the manifest names one of these sets: the last part of its path, or all of it where sets share that.
  std::string set_name(std::size_t set) const;

  bool any() const { return exact || perceptual || cosine; }
  /// Hashes of each picture that are needed.
  int hashes() const { return perceptual ? poses : 0; }
};

/// Reads the section; null gives a rule that asks nothing. Throws Error(kConfig).
DuplicateRule duplicate_rule_from_yaml(const base::ConfigNode& node);

/// Throws Error(kConfig), with file, line and key, when the section `node` asks for duplicates by the cosine
/// of embeddings that are no measure of likeness: those of `mini`, whose architecture is named.
void check_embeddings(const base::ConfigNode& node, const DuplicateRule& rule, bool made_by_mini);

/// Throws Error(kMismatch), naming both encoders, when a shard of another set was not embedded by this run's:
/// for rules that ask for cosines.
void check_outside_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& theirs,
                           const base::EncoderIdentity& ours);

}  // namespace quasar::curation
