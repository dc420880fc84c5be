// Owns the check of a training in progress: how far the score agrees with people on photos that are not
// trained on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "crop_pool.h"
#include "evaluation/agreement.h"
#include "image/raster.h"
#include "mini_trainer.h"

namespace quasar::train_mini {

/// Windows of the photos with copies of all 25 kinds at 5 levels, rendered once.
class Validation {
 public:
  Validation(std::span<const image::RgbImage> photos, std::uint64_t seed, int threads);

  /// Builds both centroids from the first sets of the pool, as `quasar anchors` does from photos, and
  /// measures the score as `quasar evaluate --distortions` does.
  evaluation::DistortionAgreement measure(const MiniTrainer& trainer, const CropPool& pool,
                                          int threads) const;

 private:
  std::vector<image::RgbImage> pristine_;
  std::vector<image::RgbImage> copies_;  ///< [photos, 25 kinds, 5 levels]
};

}  // namespace quasar::train_mini
