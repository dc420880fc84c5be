#include "crop_pool.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <thread>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/progress.h"
#include "base/random.h"
#include "image/decode.h"
#include "image/resize.h"
#include "image/similarity.h"

namespace quasar::train_mini {
namespace {

constexpr int kLargestSide = 768;
/// A quarter of the patches come from a photo at half its size: scrapes hold pictures of every scale.
constexpr double kHalvedShare = 0.25;

/// Work(i) for i in 0..count-1 on several threads; `done(i)` is called on the calling thread now and then.
template <typename Work>
void in_parallel(int count, int threads, const char* what, const char* unit, const Work& work) {
  std::atomic<int> next{0};
  std::atomic<int> finished{0};
  std::exception_ptr error;
  std::mutex mutex;
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      try {
        for (int i = next++; i < count; i = next++) {
          work(i);
          ++finished;
        }
      } catch (...) {
        const std::scoped_lock lock(mutex);
        error = std::current_exception();
        next = count;
        finished = count;
      }
    });
  }
  base::Progress progress(what, unit, static_cast<std::uint64_t>(count));
  while (finished < count) {
    progress.update(static_cast<std::uint64_t>(finished.load()));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  for (auto& thread : pool) thread.join();
  progress.finish();
  if (error) std::rethrow_exception(error);
}

image::RgbImage cut(const image::RgbImage& image, int left, int top, int side) {
  image::RgbImage result(side, side);
  const auto row_bytes = static_cast<std::size_t>(side) * 3;
  for (int y = 0; y < side; ++y) {
    const auto from = (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(image.width) +
                       static_cast<std::size_t>(left)) *
                      3;
    std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(from), row_bytes,
                result.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * row_bytes));
  }
  return result;
}

image::RgbImage halved(const image::RgbImage& image) {
  image::Raster raster;
  raster.width = image.width;
  raster.height = image.height;
  raster.channels = 3;
  raster.pixels = image.pixels;
  return image::to_rgb(image::resize_bicubic(raster, image.width / 2, image.height / 2));
}

image::RgbImage random_patch(std::span<const image::RgbImage> photos, int side, base::Random& random) {
  const auto& photo = photos[random.below(photos.size())];
  const bool half = random.uniform() < kHalvedShare && std::min(photo.width, photo.height) >= 2 * side;
  const int taken = half ? 2 * side : side;
  const int left = static_cast<int>(random.below(static_cast<std::uint64_t>(photo.width - taken + 1)));
  const int top = static_cast<int>(random.below(static_cast<std::uint64_t>(photo.height - taken + 1)));
  const auto patch = cut(photo, left, top, taken);
  return half ? halved(patch) : patch;
}

bool is_picture(const std::filesystem::path& path) {
  const auto suffix = path.extension().string();
  return suffix == ".jpg" || suffix == ".jpeg" || suffix == ".png" || suffix == ".webp";
}

}  // namespace

double strength(const image::DistortionInfo& info, int level) {
  const double parameter = info.parameter[static_cast<std::size_t>(level - 1)];
  // Shift and contrast run from one extreme through nothing to the other.
  if (info.kind == image::DistortionKind::kMeanShift || info.kind == image::DistortionKind::kContrastChange) {
    return std::fabs(parameter);
  }
  return level;
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
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kShorterSideAtMost;
  spec.size = kLargestSide;
  spec.center_crop = false;
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
    const auto patch = random_patch(photos, kPatchSide, random);
    for (const auto& info : image::distortion_table()) {
      for (int level = 1; level <= kLevels; ++level) {
        tables[static_cast<std::size_t>(p)][static_cast<std::size_t>(info.kind)]
              [static_cast<std::size_t>(level - 1)] = image::mean_deviation_similarity(
                  patch, image::distort(patch, info.kind, level, random.next()));
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
    : config_(config), damage_(damage) {
  const auto count = static_cast<std::size_t>(config_.groups) * static_cast<std::size_t>(crops_per_group());
  pixels_.resize(count * crop_bytes());
  crops_.resize(count);
  in_parallel(config_.groups, config_.threads, "render", "groups", [&](int group) { render(photos, group); });
}

void CropPool::render(std::span<const image::RgbImage> photos, int group) {
  base::Random random(base::derive_seed(config_.seed, static_cast<std::uint64_t>(group)));
  const auto patch = random_patch(photos, config_.side + 2 * config_.margin, random);
  auto slot = static_cast<std::size_t>(group) * static_cast<std::size_t>(crops_per_group());
  const auto keep = [&](const image::RgbImage& picture, const encoder::TrainingCrop& crop) {
    const auto inner = cut(picture, config_.margin, config_.margin, config_.side);
    std::copy(inner.pixels.begin(), inner.pixels.end(),
              pixels_.begin() + static_cast<std::ptrdiff_t>(slot * crop_bytes()));
    crops_[slot++] = crop;
  };
  keep(patch, {});
  std::vector<image::DistortionKind> kinds = config_.kinds;
  random.shuffle<image::DistortionKind>(kinds);
  for (int k = 0; k < config_.kinds_per_group; ++k) {
    const auto& info =
        image::distortion_table()[static_cast<std::size_t>(kinds[static_cast<std::size_t>(k)]) - 1];
    std::array<int, kLevels> levels = {1, 2, 3, 4, 5};
    random.shuffle<int>(levels);
    for (int l = 0; l < config_.levels_per_kind; ++l) {
      const int level = levels[static_cast<std::size_t>(l)];
      encoder::TrainingCrop crop;
      crop.kind = static_cast<int>(info.kind);
      crop.strength = strength(info, level);
      crop.damage = damage_[static_cast<std::size_t>(info.kind)][static_cast<std::size_t>(level - 1)];
      keep(image::distort(patch, info.kind, level, random.next()), crop);
    }
  }
}

void CropPool::append(int group, int variant, int half, std::vector<std::uint8_t>& pixels,
                      std::vector<encoder::TrainingCrop>& crops) const {
  const int side = config_.side;
  const auto first = static_cast<std::size_t>(group) * static_cast<std::size_t>(crops_per_group());
  for (std::size_t c = first; c < first + static_cast<std::size_t>(crops_per_group()); ++c) {
    const std::uint8_t* const from = pixels_.data() + c * crop_bytes();
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        int u = (variant & 1) != 0 ? side - 1 - x : x;
        int v = (variant & 2) != 0 ? side - 1 - y : y;
        if ((variant & 4) != 0) std::swap(u, v);
        const auto at =
            (static_cast<std::size_t>(v) * static_cast<std::size_t>(side) + static_cast<std::size_t>(u)) * 3;
        pixels.insert(pixels.end(), from + at, from + at + 3);
      }
    }
    crops.push_back(crops_[c]);
    crops.back().half = half;
  }
}

}  // namespace quasar::train_mini
