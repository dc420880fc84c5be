// Owns the training data of `mini`: crops of pristine photos and of their rendered degradations.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "encoder/mini_trainer.h"
#include "image/distortions.h"
#include "image/raster.h"

namespace quasar::train_mini {

inline constexpr int kKinds = 25;
inline constexpr int kLevels = 5;
/// damage[kind][level - 1], kind 1..25: how far a degraded picture is from its original (mean over photos).
using DamageTable = std::array<std::array<double, kLevels>, kKinds + 1>;

struct PoolConfig {
  std::uint64_t seed = 1;
  int side = 112;     ///< Pixels of a crop.
  int margin = 16;    ///< Rendered around it, so that no distortion sees the crop's border.
  int groups = 6000;  ///< A group is one pristine crop and its degraded copies.
  int kinds_per_group = 2;
  int levels_per_kind = 3;
  std::vector<image::DistortionKind> kinds;  ///< To train on.
  int threads = 1;
};

/// Places in order of severity: 0 for a level that leaves the picture as it is, equal numbers for equally
/// strong ones.
double strength(const image::DistortionInfo& info, int level);

/// Decodes every picture below the folders (sorted by path), those with a shorter side over 768 px reduced to
/// that. Throws Error(kInput) when a folder holds none or a file does not decode.
std::vector<image::RgbImage> load_photos(std::span<const std::filesystem::path> folders);

/// Mean over patches of the photos of the full-reference measure of every kind and level.
DamageTable measure_damage(std::span<const image::RgbImage> photos, int patches, std::uint64_t seed,
                           int threads);

/// All groups, rendered once and kept as bytes. A group depends on the seed and its number alone.
class CropPool {
 public:
  CropPool(std::span<const image::RgbImage> photos, const DamageTable& damage, const PoolConfig& config);

  int crops_per_group() const { return 1 + config_.kinds_per_group * config_.levels_per_kind; }
  int side() const { return config_.side; }
  int groups() const { return config_.groups; }

  /// Appends a group's crops, turned and flipped by `variant` (0..7), to a batch.
  void append(int group, int variant, int half, std::vector<std::uint8_t>& pixels,
              std::vector<encoder::TrainingCrop>& crops) const;

 private:
  void render(std::span<const image::RgbImage> photos, int group);
  std::size_t crop_bytes() const {
    return static_cast<std::size_t>(config_.side) * static_cast<std::size_t>(config_.side) * 3;
  }

  PoolConfig config_;
  DamageTable damage_;
  std::vector<std::uint8_t> pixels_;          ///< [groups, crops per group, side, side, 3]
  std::vector<encoder::TrainingCrop> crops_;  ///< [groups, crops per group]
};

}  // namespace quasar::train_mini
