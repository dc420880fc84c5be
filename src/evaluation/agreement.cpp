#include "evaluation/agreement.h"

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/errors.h"
#include "evaluation/correlation.h"

namespace quasar::evaluation {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCells = std::size_t{kDistortionKinds} * kDistortionLevels;

std::size_t cell_of(const DistortedScore& item) {
  return static_cast<std::size_t>((item.kind - 1) * kDistortionLevels + item.level - 1);
}

void check(std::span<const DistortedScore> distorted, std::span<const double> pristine,
           std::span<const double> human) {
  using base::ExitCode;
  if (human.size() != kCells) {
    base::fail(ExitCode::kMismatch, "the table of human scores has " + std::to_string(human.size()) +
                                        " values instead of " + std::to_string(kCells) +
                                        " (25 kinds x 5 levels)");
  }
  for (std::size_t i = 0; i < pristine.size(); ++i) {
    if (!std::isfinite(pristine[i])) {
      base::fail(ExitCode::kInput, "the score of photo " + std::to_string(i) + " is not finite");
    }
  }
  for (std::size_t i = 0; i < distorted.size(); ++i) {
    const auto& item = distorted[i];
    if (item.kind < 1 || item.kind > kDistortionKinds || item.level < 1 || item.level > kDistortionLevels ||
        item.photo < 0 || static_cast<std::size_t>(item.photo) >= pristine.size()) {
      base::fail(ExitCode::kMismatch, "distorted score " + std::to_string(i) + " has photo " +
                                          std::to_string(item.photo) + ", kind " + std::to_string(item.kind) +
                                          ", level " + std::to_string(item.level) + "; photos are 0.." +
                                          std::to_string(pristine.size()) +
                                          " (exclusive), kinds 1..25, levels 1..5");
    }
    if (!std::isfinite(item.score)) {
      base::fail(ExitCode::kInput, "distorted score " + std::to_string(i) + " is not finite");
    }
  }
}

double mean_of(std::span<const double> by_kind, std::span<const int> kinds) {
  if (kinds.empty()) return kNan;
  double sum = 0;
  for (const int kind : kinds) {
    if (kind < 1 || kind > kDistortionKinds) {
      base::fail(base::ExitCode::kMismatch, "there is no distortion kind " + std::to_string(kind));
    }
    sum += by_kind[static_cast<std::size_t>(kind)];
  }
  return sum / static_cast<double>(kinds.size());
}

/// Scores and opinions of one photo's copies of one kind.
struct Copies {
  std::vector<double> scores;
  std::vector<double> opinions;
};

double mean_within_photo_of(const std::map<int, Copies>& photos) {
  double sum = 0;
  for (const auto& [photo, copies] : photos) {
    const double correlation = spearman(copies.scores, copies.opinions);
    if (std::isfinite(correlation)) sum += correlation;
  }
  return sum / static_cast<double>(photos.size());
}

}  // namespace

double DistortionAgreement::mean_within_kind(std::span<const int> kinds) const {
  return mean_of(within_kind, kinds);
}

double DistortionAgreement::mean_within_photo(std::span<const int> kinds) const {
  return mean_of(within_photo, kinds);
}

DistortionAgreement distortion_agreement(std::span<const DistortedScore> distorted,
                                         std::span<const double> pristine, std::span<const double> human) {
  check(distorted, pristine, human);
  DistortionAgreement result;
  result.within_kind.fill(kNan);
  result.within_photo.fill(kNan);
  std::vector<std::map<int, Copies>> photos(kDistortionKinds + 1);
  std::vector<std::vector<double>> scores(kDistortionKinds + 1);
  std::vector<std::vector<double>> opinions(kDistortionKinds + 1);
  std::vector<double> cell_sum(kCells, 0.0);
  std::vector<std::size_t> cell_count(kCells, 0);
  std::size_t pairs = 0;
  std::size_t above = 0;
  for (const auto& item : distorted) {
    const std::size_t cell = cell_of(item);
    const auto kind = static_cast<std::size_t>(item.kind);
    scores[kind].push_back(item.score);
    opinions[kind].push_back(human[cell]);
    photos[kind][item.photo].scores.push_back(item.score);
    photos[kind][item.photo].opinions.push_back(human[cell]);
    cell_sum[cell] += item.score;
    ++cell_count[cell];
    if (item.unchanged) continue;
    ++pairs;
    if (pristine[static_cast<std::size_t>(item.photo)] > item.score) ++above;
  }
  for (std::size_t kind = 1; kind < scores.size(); ++kind) {
    if (scores[kind].empty()) continue;
    result.within_kind[kind] = spearman(scores[kind], opinions[kind]);
    result.within_photo[kind] = mean_within_photo_of(photos[kind]);
  }
  std::vector<double> cell_mean;
  std::vector<double> cell_opinion;
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    if (cell_count[cell] == 0) continue;
    cell_mean.push_back(cell_sum[cell] / static_cast<double>(cell_count[cell]));
    cell_opinion.push_back(human[cell]);
  }
  result.cell_srcc = spearman(cell_mean, cell_opinion);
  result.pairs_pristine_above = pairs == 0 ? kNan : static_cast<double>(above) / static_cast<double>(pairs);
  return result;
}

}  // namespace quasar::evaluation
