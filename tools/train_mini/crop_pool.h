// Owns the training data of `mini`: crops of pristine photos and of their rendered degradations.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "distort/distortions.h"
#include "image/raster.h"
#include "mini_trainer.h"

namespace quasar::train_mini {

inline constexpr int kKinds = 25;
inline constexpr int kLevels = 5;
/// damage[kind][level - 1], kind 1..25: how far a degraded picture is from its original (mean over photos).
using DamageTable = std::array<std::array<double, kLevels>, kKinds + 1>;

struct PoolConfig {
  std::uint64_t seed = 1;
  int groups = 1000;  ///< A group is one window of a photo with its degraded copies.
  /// Rendered before the training begins; 0: all. The others join while it goes on, evenly over so many
  /// steps.
  int first_groups = 0;
  std::int64_t growth_steps = 1;
  int kinds_per_group = 2;
  int side = 64;                               ///< Of the crops that will be drawn.
  std::vector<distort::DistortionKind> kinds;  ///< To train on.
  int threads = 1;
};

/// What a batch is drawn by.
struct BatchConfig {
  int side = 160;           ///< Pixels of a crop.
  int kinds = 6;            ///< Several photos of each kind, so that strengths are compared across photos.
  int photos_per_kind = 4;  ///< Even: half of them on each side of the episode.
  int levels = 3;           ///< Of the five, drawn anew each time.
};

struct Batch {
  std::vector<std::uint8_t> pixels;  ///< [crops, side, side, 3]
  std::vector<TrainingCrop> crops;
};

/// Places in order of severity: 0 for a level that leaves the picture as it is, equal numbers for equally
/// strong ones.
double strength(const distort::DistortionInfo& info, int level);

/// 0, or which of two ways a change goes whose strengths do not compare: more contrast cuts off the ends of
/// the range, less contrast cuts off nothing.
int direction(const distort::DistortionInfo& info, int level);

/// Decodes every picture below the folders (sorted by path), reduced as `mini` reduces pictures. Throws
/// Error(kInput) when a folder holds none or a file does not decode.
std::vector<image::RgbImage> load_photos(std::span<const std::filesystem::path> folders);

/// The middle of a photo, of the size of the windows that the pool is made of.
image::RgbImage largest_window(const image::RgbImage& photo);

/// Mean over patches of the photos of the full-reference measure of every kind and level.
DamageTable measure_damage(std::span<const image::RgbImage> photos, int patches, std::uint64_t seed,
                           int threads);

/// A window of a photo and its copies under one kind of distortion, levels 1..5.
struct DegradedSet {
  int group = 0;
  distort::DistortionKind kind{};
  std::array<image::RgbImage, kLevels> copies;
};

/// All groups, rendered once and kept as bytes. A group depends on the seed and its number alone. Degrading
/// happens on windows of a whole photo's size, as in use: some kinds put a fixed number of flaws into a
/// picture, of which a crop then has its share.
class CropPool {
 public:
  /// Renders the first groups; threads of its own render the others. The photos must outlive it.
  CropPool(std::span<const image::RgbImage> photos, const DamageTable& damage, const PoolConfig& config);
  ~CropPool();
  CropPool(const CropPool&) = delete;
  CropPool& operator=(const CropPool&) = delete;

  /// The batch of a step: crops at random places, turned and flipped at random, of the groups that have
  /// joined by then; waits until those are rendered. A crop that its distortion left as it was is pristine.
  /// Thread-safe.
  Batch draw(const BatchConfig& config, std::int64_t step, base::Random& random) const;

  /// Those rendered before the training begins.
  std::span<const image::RgbImage> first_windows() const;
  std::span<const DegradedSet> first_sets() const;

 private:
  void render(int group);
  void render_others();
  int groups_at(std::int64_t step) const;
  void wait_for(int groups) const;
  const DegradedSet& random_set(std::size_t kind, int groups, int side, base::Random& random) const;

  std::span<const image::RgbImage> photos_;
  PoolConfig config_;
  DamageTable damage_;
  std::vector<image::RgbImage> windows_;           ///< [groups]
  std::vector<DegradedSet> sets_;                  ///< [groups, kinds per group]
  std::vector<std::vector<std::size_t>> of_kind_;  ///< Sets by their kind's number, ascending.
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<bool> rendered_;  ///< [groups]
  int ready_ = 0;               ///< All groups before this one are rendered.
  int to_render_ = 0;
  bool stopped_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace quasar::train_mini
