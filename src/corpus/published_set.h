// Owns what is known of a published data set that a source lists: how many pictures it should have, and what
// its labels mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace quasar::corpus {

/// Whether a higher label is a better picture.
enum class LabelDirection {
  kUp,    ///< Opinion scores.
  kDown,  ///< Dissimilarities from a reference.
};

/// What the labels of a data set are, as its authors publish them; they are never turned round or scaled.
struct LabelScale {
  std::string name;  ///< "MOS".
  LabelDirection direction = LabelDirection::kUp;
  std::optional<double> low;        ///< Least value that a label may have.
  std::optional<double> high;       ///< Greatest value.
  bool deviations_in_units = true;  ///< False: the deviations are on another scale than the labels.

  friend bool operator==(const LabelScale&, const LabelScale&) = default;
};

/// What a source lists of a published data set.
struct PublishedSet {
  std::string name;             ///< As in a configuration: "koniq10k".
  std::string split;            ///< Empty: all splits, or none exist.
  std::uint64_t listed = 0;     ///< Pictures in the plan.
  std::uint64_t published = 0;  ///< Pictures that there should be.
  std::uint64_t missing = 0;    ///< Of those listed, the ones that were not there.
  std::optional<LabelScale> label;

  friend bool operator==(const PublishedSet&, const PublishedSet&) = default;
};

/// "up" or "down".
std::string to_text(LabelDirection direction);
/// "koniq10k, test: 2,015 of 2,015, 3 pictures missing; MOS from 0 to 100, higher is better".
std::string to_text(const PublishedSet& set);

}  // namespace quasar::corpus
