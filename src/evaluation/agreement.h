// Owns the measures of how well a scorer agrees with people on rendered distortions of photos it has not
// seen: the 25 kinds x 5 levels of KADID-10k, judged by the mean human score of each kind and level.
#pragma once

#include <array>
#include <span>

namespace quasar::evaluation {

inline constexpr int kDistortionKinds = 25;
inline constexpr int kDistortionLevels = 5;

/// A scorer's value for one photo under one distortion.
struct DistortedScore {
  int photo = 0;  ///< Index into the scores of the pristine photos.
  int kind = 1;   ///< 1..25
  int level = 1;  ///< 1..5
  double score = 0;
  bool unchanged = false;  ///< The level leaves the photo as it is; such a copy is in no pair.
};

struct DistortionAgreement {
  /// By kind (index 0 unused): Spearman between the score and the human score of its level, over all photos
  /// and levels. NaN where the kind is absent or the scores are constant.
  std::array<double, kDistortionKinds + 1> within_kind{};
  /// By kind: the same over the levels of one photo, mean over the photos. What a photo is like beside its
  /// damage does not count here. 0 for a photo whose scores are all equal; NaN where the kind is absent.
  std::array<double, kDistortionKinds + 1> within_photo{};
  /// Spearman between the mean score of each (kind, level) cell and the human score of the cell, over the
  /// cells present.
  double cell_srcc = 0;
  /// Share of the pairs (photo, its distorted copy) in which the photo has the strictly higher score. Copies
  /// that are the photo itself (`unchanged`) are in no pair. NaN without pairs.
  double pairs_pristine_above = 0;

  /// Mean of within_kind, or within_photo, over some kinds. NaN when it is NaN for one of them, or when
  /// `kinds` is empty. Throws Error(kMismatch) for a kind that does not exist.
  double mean_within_kind(std::span<const int> kinds) const;
  double mean_within_photo(std::span<const int> kinds) const;
};

/// Measures agreement. `pristine`: score of each photo without distortion. `human`: [25 x 5], the human score
/// of kind k at level l at (k - 1) * 5 + l - 1; higher is better. The order of `distorted` does not matter
/// beyond the rounding of means. Throws Error(kMismatch) for a table of another size or a photo, kind or
/// level out of range, Error(kInput) for a score that is not finite.
DistortionAgreement distortion_agreement(std::span<const DistortedScore> distorted,
                                         std::span<const double> pristine, std::span<const double> human);

}  // namespace quasar::evaluation
