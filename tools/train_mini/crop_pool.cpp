#include "crop_pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "distort/similarity.h"
#include "encoder/encoder_config.h"
#include "image/decode.h"
#include "image/resize.h"
#include "in_parallel.h"

namespace quasar::train_mini {
namespace {

/// A window is at most this large: that of KADID-10k's pictures.
constexpr int kWindowWidth = 512;
constexpr int kWindowHeight = 384;
/// Photos are not reduced below this, nor where no crop would fit.
constexpr int kSmallestSide = 256;

image::RgbImage cut(const image::RgbImage& image, int left, int top, int width, int height) {
  image::RgbImage result(width, height);
  const auto row_bytes = static_cast<std::size_t>(width) * 3;
  for (int y = 0; y < height; ++y) {
    const auto from = (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(image.width) +
                       static_cast<std::size_t>(left)) *
                      3;
    std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(from), row_bytes,
                result.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * row_bytes));
  }
  return result;
}

image::RgbImage resized(const image::RgbImage& image, int width, int height) {
  image::Raster raster;
  raster.width = image.width;
  raster.height = image.height;
  raster.channels = 3;
  raster.pixels = image.pixels;
  return image::to_rgb(image::resize_bicubic(raster, width, height));
}

int below(base::Random& random, int n) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
}

/// A window of at most `width` x `height` somewhere in one of the photos, whose shorter side is reduced at
/// random to `smallest` px or more: scrapes hold pictures of every scale.
image::RgbImage random_window(std::span<const image::RgbImage> photos, int width, int height, int smallest,
                              base::Random& random) {
  const auto& photo = photos[random.below(photos.size())];
  const int shorter = std::min(photo.width, photo.height);
  const int scaled = shorter <= smallest ? shorter : smallest + below(random, shorter - smallest + 1);
  const double scale = static_cast<double>(shorter) / scaled;
  const auto taken = [&](int length, int wanted) {
    return std::min(length, static_cast<int>(std::lround(scale * wanted)));
  };
  const int taken_width = taken(photo.width, width);
  const int taken_height = taken(photo.height, height);
  const int left = below(random, photo.width - taken_width + 1);
  const int top = below(random, photo.height - taken_height + 1);
  auto window = cut(photo, left, top, taken_width, taken_height);
  if (scaled == shorter) return window;
  return resized(window, static_cast<int>(std::lround(taken_width / scale)),
                 static_cast<int>(std::lround(taken_height / scale)));
}

/// Where a crop lies and how it is turned: bit 0 mirrors, bit 1 flips, bit 2 swaps the axes.
struct CropPlace {
  int left = 0;
  int top = 0;
  int side = 0;
  int variant = 0;
};

/// Writes [side, side, 3] to `to`.
void copy_crop(const image::RgbImage& image, const CropPlace& place, std::uint8_t* to) {
  const std::ptrdiff_t row = std::ptrdiff_t{image.width} * 3;
  const std::ptrdiff_t last = place.side - 1;
  const bool mirrors = (place.variant & 1) != 0;
  const bool flips = (place.variant & 2) != 0;
  const bool swaps = (place.variant & 4) != 0;
  // One step to the right and one down in the crop, as steps in the picture.
  std::ptrdiff_t right = mirrors ? -1 : 1;
  std::ptrdiff_t down = flips ? -1 : 1;
  const std::uint8_t* from = image.pixels.data() + place.top * row + std::ptrdiff_t{place.left} * 3;
  if (swaps ? flips : mirrors) from += 3 * last;
  if (swaps ? mirrors : flips) from += row * last;
  if (swaps) {
    right *= row;
    down *= 3;
  } else {
    right *= 3;
    down *= row;
  }
  for (int y = 0; y < place.side; ++y, from += down) {
    const std::uint8_t* pixel = from;
    for (int x = 0; x < place.side; ++x, pixel += right, to += 3) std::memcpy(to, pixel, 3);
  }
}

bool is_picture(const std::filesystem::path& path) {
  const auto suffix = path.extension().string();
  return suffix == ".jpg" || suffix == ".jpeg" || suffix == ".png" || suffix == ".webp";
}

}  // namespace

image::RgbImage largest_window(const image::RgbImage& photo) {
  const int width = std::min(photo.width, kWindowWidth);
  const int height = std::min(photo.height, kWindowHeight);
  return cut(photo, (photo.width - width) / 2, (photo.height - height) / 2, width, height);
}

double strength(const distort::DistortionInfo& info, int level) {
  const double parameter = info.parameter[static_cast<std::size_t>(level - 1)];
  // Shift and contrast run from one extreme through nothing to the other.
  if (info.kind == distort::DistortionKind::kMeanShift ||
      info.kind == distort::DistortionKind::kContrastChange) {
    return std::fabs(parameter);
  }
  return level;
}

int direction(const distort::DistortionInfo& info, int level) {
  if (info.kind != distort::DistortionKind::kContrastChange) return 0;
  return info.parameter[static_cast<std::size_t>(level - 1)] < 0 ? -1 : 1;
}

std::vector<image::RgbImage> load_photos(std::span<const std::filesystem::path> folders) {
  std::vector<std::filesystem::path> paths;
  for (const auto& folder : folders) {
    const auto before = paths.size();
    if (std::filesystem::is_directory(folder)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() && is_picture(entry.path())) paths.push_back(entry.path());
      }
    }
    if (paths.size() == before) {
      base::fail(base::ExitCode::kInput, folder.string() + " is no folder with .jpg, .png or .webp pictures");
    }
    std::sort(paths.begin() + static_cast<std::ptrdiff_t>(before), paths.end());
  }
  // As `mini` is given pictures; too small ones are passed over where crops are drawn.
  base::InputSpec spec = encoder::effective_input(encoder::EncoderConfig());
  spec.min_side = 1;
  std::vector<image::RgbImage> photos;
  for (const auto& path : paths) {
    const auto bytes = base::read_file(path);
    auto prepared = image::prepare(std::as_bytes(std::span(bytes)), {}, spec);
    if (prepared.status != base::RowStatus::kOk) {
      base::fail(base::ExitCode::kInput, path.string() + " does not decode: " + prepared.error);
    }
    photos.push_back(std::move(prepared.image));
  }
  return photos;
}

DamageTable measure_damage(std::span<const image::RgbImage> photos, int patches, std::uint64_t seed,
                           int threads) {
  constexpr int kPatchSide = 256;
  std::vector<DamageTable> tables(static_cast<std::size_t>(patches));
  in_parallel(patches, threads, "damage", "photos", [&](int p) {
    base::Random random(base::derive_seed(seed, static_cast<std::uint64_t>(p), 77));
    const auto patch = random_window(photos, kPatchSide, kPatchSide, kPatchSide, random);
    for (const auto& info : distort::distortion_table()) {
      for (int level = 1; level <= kLevels; ++level) {
        tables[static_cast<std::size_t>(p)][static_cast<std::size_t>(info.kind)]
              [static_cast<std::size_t>(level - 1)] = distort::mean_deviation_similarity(
                  patch, distort::distort(patch, info.kind, level, random.next()));
      }
    }
  });
  DamageTable mean{};
  for (const auto& table : tables) {
    for (std::size_t k = 0; k < mean.size(); ++k) {
      for (std::size_t l = 0; l < kLevels; ++l) mean[k][l] += table[k][l] / patches;
    }
  }
  return mean;
}

CropPool::CropPool(std::span<const image::RgbImage> photos, const DamageTable& damage,
                   const PoolConfig& config)
    : photos_(photos), config_(config), damage_(damage), of_kind_(kKinds + 1) {
  if (config_.first_groups <= 0) config_.first_groups = config_.groups;
  config_.first_groups = std::min(config_.first_groups, config_.groups);
  const auto per_group = static_cast<std::size_t>(config_.kinds_per_group);
  const auto needed = (config_.kinds.size() + per_group - 1) / per_group;
  if (static_cast<std::size_t>(config_.first_groups) < needed) {
    base::fail(base::ExitCode::kUsage,
               std::to_string(config_.first_groups) + " windows do not show each of the " +
                   std::to_string(config_.kinds.size()) + " kinds: --groups " +
                   (config_.first_groups < config_.groups ? "and --first-groups " : "") +
                   std::to_string(needed) + " or more");
  }
  windows_.resize(static_cast<std::size_t>(config_.groups));
  rendered_.resize(windows_.size());
  sets_.resize(windows_.size() * per_group);
  // Groups take the kinds in turn, so that each has as many.
  for (std::size_t s = 0; s < sets_.size(); ++s) {
    sets_[s].group = static_cast<int>(s / per_group);
    sets_[s].kind = config_.kinds[s % config_.kinds.size()];
    of_kind_[static_cast<std::size_t>(sets_[s].kind)].push_back(s);
  }
  in_parallel(config_.first_groups, config_.threads, "render", "groups", [&](int group) { render(group); });
  ready_ = config_.first_groups;
  to_render_ = config_.first_groups;
  if (ready_ < config_.groups) {
    for (int t = 0; t < config_.threads; ++t) threads_.emplace_back([this] { render_others(); });
  }
}

CropPool::~CropPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  for (auto& thread : threads_) thread.join();
}

std::span<const image::RgbImage> CropPool::first_windows() const {
  return std::span(windows_).first(static_cast<std::size_t>(config_.first_groups));
}

std::span<const DegradedSet> CropPool::first_sets() const {
  return std::span(sets_).first(static_cast<std::size_t>(config_.first_groups) *
                                static_cast<std::size_t>(config_.kinds_per_group));
}

void CropPool::render_others() {
  std::unique_lock lock(mutex_);
  while (!stopped_ && !error_ && to_render_ < config_.groups) {
    const int group = to_render_++;
    lock.unlock();
    try {
      render(group);
      lock.lock();
    } catch (...) {
      lock.lock();
      error_ = std::current_exception();
    }
    rendered_[static_cast<std::size_t>(group)] = true;
    while (ready_ < config_.groups && rendered_[static_cast<std::size_t>(ready_)]) ++ready_;
    changed_.notify_all();
  }
}

int CropPool::groups_at(std::int64_t step) const {
  const double grown = std::min(1.0, static_cast<double>(step) / static_cast<double>(config_.growth_steps));
  return config_.first_groups + static_cast<int>(grown * (config_.groups - config_.first_groups));
}

void CropPool::wait_for(int groups) const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return error_ || ready_ >= groups; });
  if (error_) std::rethrow_exception(error_);
}

void CropPool::render(int group) {
  base::Random random(base::derive_seed(config_.seed, static_cast<std::uint64_t>(group)));
  auto& window = windows_[static_cast<std::size_t>(group)];
  window = random_window(photos_, kWindowWidth, kWindowHeight, std::max(kSmallestSide, config_.side), random);
  const auto per_group = static_cast<std::size_t>(config_.kinds_per_group);
  for (auto& set : std::span(sets_).subspan(static_cast<std::size_t>(group) * per_group, per_group)) {
    for (int level = 1; level <= kLevels; ++level) {
      set.copies[static_cast<std::size_t>(level - 1)] =
          distort::distort(window, set.kind, level, random.next());
    }
  }
}

const DegradedSet& CropPool::random_set(std::size_t kind, int groups, int side, base::Random& random) const {
  const auto end = static_cast<std::size_t>(groups) * static_cast<std::size_t>(config_.kinds_per_group);
  const auto& numbers = of_kind_[kind];
  const auto joined = std::lower_bound(numbers.begin(), numbers.end(), end) - numbers.begin();
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto& set = sets_[numbers[random.below(static_cast<std::uint64_t>(joined))]];
    const auto& window = windows_[static_cast<std::size_t>(set.group)];
    if (std::min(window.width, window.height) >= side) return set;
  }
  base::fail(base::ExitCode::kInput, "hardly any of the photos has a shorter side of " +
                                         std::to_string(side) + " px: a smaller --side would do");
}

Batch CropPool::draw(const BatchConfig& config, std::int64_t step, base::Random& random) const {
  const int groups = groups_at(step);
  wait_for(groups);
  const std::size_t bytes = static_cast<std::size_t>(config.side) * static_cast<std::size_t>(config.side) * 3;
  const auto crops = static_cast<std::size_t>(config.kinds) *
                     static_cast<std::size_t>(config.photos_per_kind) *
                     static_cast<std::size_t>(config.levels + 1);
  Batch batch;
  batch.pixels.resize(crops * bytes);
  std::uint8_t* next = batch.pixels.data();
  std::vector<distort::DistortionKind> kinds = config_.kinds;
  random.shuffle<distort::DistortionKind>(kinds);
  for (int k = 0; k < config.kinds; ++k) {
    const auto kind = static_cast<std::size_t>(kinds[static_cast<std::size_t>(k) % kinds.size()]);
    const auto& info = distort::distortion_table()[kind - 1];
    for (int p = 0; p < config.photos_per_kind; ++p) {
      const auto& set = random_set(kind, groups, config.side, random);
      const auto& window = windows_[static_cast<std::size_t>(set.group)];
      const CropPlace place{below(random, window.width - config.side + 1),
                            below(random, window.height - config.side + 1), config.side, below(random, 8)};
      const std::uint8_t* const pristine = next;
      copy_crop(window, place, next);
      next += bytes;
      batch.crops.push_back({p % 2});
      std::array<int, kLevels> levels = {1, 2, 3, 4, 5};
      random.shuffle<int>(levels);
      for (int l = 0; l < config.levels; ++l) {
        const auto at = static_cast<std::size_t>(levels[static_cast<std::size_t>(l)] - 1);
        copy_crop(set.copies[at], place, next);
        TrainingCrop crop;
        crop.half = p % 2;
        if (!std::equal(pristine, pristine + bytes, next)) {
          crop.kind = static_cast<int>(kind);
          crop.strength = strength(info, levels[static_cast<std::size_t>(l)]);
          crop.direction = direction(info, levels[static_cast<std::size_t>(l)]);
          crop.damage = damage_[kind][at];
        }
        batch.crops.push_back(crop);
        next += bytes;
      }
    }
  }
  return batch;
}

}  // namespace quasar::train_mini
