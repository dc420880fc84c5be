#include "validation.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "in_parallel.h"
#include "scoring/score.h"

namespace quasar::train_mini {
namespace {

constexpr std::size_t kAnchorSets = 210;
constexpr std::size_t kCopiesPerPhoto = static_cast<std::size_t>(distort::kDistortionKinds) * kLevels;

/// Embeddings [n, d] of pictures of any size.
std::vector<float> embed(const MiniTrainer& trainer, std::span<const image::RgbImage* const> pictures,
                         int threads) {
  const auto d = static_cast<std::size_t>(trainer.dimension());
  std::vector<float> rows(pictures.size() * d);
  in_parallel(static_cast<int>(pictures.size()), threads, "validate", "pictures", [&](int i) {
    const auto at = static_cast<std::size_t>(i);
    const auto row = trainer.embed(pictures[at]->pixels, pictures[at]->height, pictures[at]->width);
    std::copy(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(at * d));
  });
  return rows;
}

std::vector<float> unit_mean(std::span<const float> rows, std::size_t d) {
  std::vector<double> sum(d, 0);
  for (std::size_t i = 0; i < rows.size(); ++i) sum[i % d] += rows[i];
  double norm = 0;
  for (const double value : sum) norm += value * value;
  std::vector<float> mean(d);
  for (std::size_t i = 0; i < d; ++i) mean[i] = static_cast<float>(sum[i] / std::sqrt(norm));
  return mean;
}

}  // namespace

Validation::Validation(std::span<const image::RgbImage> photos, std::uint64_t seed, int threads)
    : copies_(photos.size() * kCopiesPerPhoto) {
  for (const auto& photo : photos) pristine_.push_back(largest_window(photo));
  in_parallel(static_cast<int>(copies_.size()), threads, "render validation", "pictures", [&](int i) {
    const auto at = static_cast<std::size_t>(i);
    const auto& info = distort::distortion_table()[at % kCopiesPerPhoto / kLevels];
    copies_[at] = distort::distort(pristine_[at / kCopiesPerPhoto], info.kind,
                                   static_cast<int>(at % kLevels) + 1, base::derive_seed(seed, at, 5));
  });
}

evaluation::DistortionAgreement Validation::measure(const MiniTrainer& trainer, const CropPool& pool,
                                                    int threads) const {
  std::vector<const image::RgbImage*> good;
  std::vector<const image::RgbImage*> bad;
  for (const auto& set : pool.first_sets().first(std::min(kAnchorSets, pool.first_sets().size()))) {
    good.push_back(&pool.first_windows()[static_cast<std::size_t>(set.group)]);
    for (const auto& copy : set.copies) bad.push_back(&copy);
  }
  const auto d = static_cast<std::size_t>(trainer.dimension());
  const auto good_centroid = unit_mean(embed(trainer, good, threads), d);
  const auto bad_centroid = unit_mean(embed(trainer, bad, threads), d);
  const scoring::AnchorPairs anchors{good_centroid, bad_centroid, d};

  std::vector<const image::RgbImage*> pictures;
  for (const auto& picture : pristine_) pictures.push_back(&picture);
  for (const auto& picture : copies_) pictures.push_back(&picture);
  const auto rows = embed(trainer, pictures, threads);
  const auto score = [&](std::size_t i) {
    return scoring::score_row(std::span(rows).subspan(i * d, d), anchors);
  };
  std::vector<double> pristine;
  for (std::size_t i = 0; i < pristine_.size(); ++i) pristine.push_back(score(i));
  std::vector<evaluation::DistortedScore> distorted;
  for (std::size_t c = 0; c < copies_.size(); ++c) {
    const auto kind = static_cast<int>(c % kCopiesPerPhoto / kLevels) + 1;
    const auto level = static_cast<int>(c % kLevels) + 1;
    distorted.push_back({static_cast<int>(c / kCopiesPerPhoto), kind, level, score(pristine_.size() + c),
                         distort::leaves_unchanged(static_cast<distort::DistortionKind>(kind), level)});
  }
  std::vector<double> human;
  for (const auto& info : distort::distortion_table()) {
    human.insert(human.end(), info.human_score.begin(), info.human_score.end());
  }
  return evaluation::distortion_agreement(distorted, pristine, human);
}

}  // namespace quasar::train_mini
