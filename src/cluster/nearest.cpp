#include "cluster/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include <faiss/utils/distances.h>

#include "base/errors.h"
#include "cluster/bfloat16_tiles.h"
#include "cluster/blas.h"
#include "cluster/row_kernels.h"

namespace quasar::cluster {
namespace {

constexpr double kUnit = 0x1p-24;  // Rounding unit of float32.
constexpr float kNever = std::numeric_limits<float>::max() / 8;
/// Sums below this cannot overflow a float.
constexpr double kSafe = 1e36;
/// More than the relative error of a norm from a float sum of squares.
constexpr double kNormSlack = 1.001;

std::size_t padded(std::size_t k) {
  return (k + tiles::kRows - 1) / tiles::kRows * tiles::kRows;
}

}  // namespace

Products fastest_products() {
  return tiles::supported() ? Products::kBfloat16 : Products::kFloat;
}

// Bounds. With mu the mean, c the centroid as given, s = float(c - mu), y = x - mu, u the rounding unit and
// D = |x - c|^2:
//   D = |y|^2 + S + r,  S = |s|^2 - 2 y.s = |s|^2 + 2 mu.s - 2 x.s,  |r| <= 2 |x - c| u|s| + u^2 |s|^2,
// where r comes of rounding s. The product is that of p with q, which are x and s (float32) or y and s
// rounded to bfloat16; z stands for x or y. With e = z - p and f = s - q,
//   |z.s - p.q| <= |e||s| + |p||f|,
// a float product in any order errs by at most 1.01 d u |p||q| (Higham, Accuracy and Stability, 3.1, for
// d u < 0.01), and the rounded bias and sum by u each. With |p| <= |z| + |e| and |f| <= lost |s| the score
// errs by at most
//   |s| * reach + constant,  reach = 2 (|e| + (|z| + |e|) (lost + 1.02 (d + 8) u)),
//   constant = 8 u (|s|^2 + 2 |mu||s|).
// Both FAISS's and our own float distance err by at most (d + 8) u D. FAISS's least one therefore has a D no
// more than 2.1 (d + 8) u D above the least D, and our own distance to it lies at most 4.3 (d + 8) u above
// our least.
NearestCentroid::NearestCentroid(std::span<const float> centroids, std::size_t dimension, Products products)
    : centroids_(centroids),
      dimension_(dimension),
      k_(centroids.size() / dimension),
      products_(products),
      tile_rows_(products == Products::kFloat ? kTileRows : 2 * tiles::kRows),
      unit_(static_cast<double>(dimension + 8) * kUnit),
      underflow_(4 * static_cast<double>(dimension) * std::numeric_limits<float>::min()),
      norm_underflow_(std::sqrt(static_cast<double>(dimension) * std::numeric_limits<float>::min())) {
  QUASAR_CHECK(k_ > 0 && centroids.size() == k_ * dimension && k_ < (std::size_t{1} << 31U));
  std::vector<double> sum(dimension, 0);
  for (std::size_t c = 0; c < k_; ++c) {
    for (std::size_t j = 0; j < dimension; ++j) sum[j] += static_cast<double>(centroids[c * dimension + j]);
  }
  mean_.resize(dimension);
  double mean_square = 0;
  for (std::size_t j = 0; j < dimension; ++j) {
    mean_[j] = static_cast<float>(sum[j] / static_cast<double>(k_));
    mean_square += static_cast<double>(mean_[j]) * static_cast<double>(mean_[j]);
  }
  const double mean_norm = std::sqrt(mean_square);
  if (products_ == Products::kFloat) {
    shifted_.assign(padded(k_) * dimension, 0);
  } else {
    packed_.assign(tiles::packed_size(k_, dimension), 0);
  }
  bias_.assign(padded(k_), kNever);
  margin_.assign(padded(k_), 0);
  std::vector<float> scaled(dimension);
  for (std::size_t c = 0; c < k_; ++c) {
    double square = 0;
    double with_mean = 0;
    for (std::size_t j = 0; j < dimension; ++j) {
      const double mean = static_cast<double>(mean_[j]);
      const auto s = static_cast<float>(static_cast<double>(centroids[c * dimension + j]) - mean);
      scaled[j] = -2 * s;
      square += static_cast<double>(s) * static_cast<double>(s);
      with_mean += static_cast<double>(s) * mean;
    }
    const double norm = std::sqrt(square);
    if (products_ == Products::kFloat) {
      std::ranges::copy(scaled, shifted_.begin() + static_cast<std::ptrdiff_t>(c * dimension));
      bias_[c] = static_cast<float>(square + 2 * with_mean);
    } else {
      const auto squares = tiles::pack_centroid(scaled.data(), dimension, c, packed_.data());
      const double lost = std::sqrt(static_cast<double>(squares.lost)) * kNormSlack + norm_underflow_;
      bias_[c] = static_cast<float>(square);
      if (norm > 0) lost_ = std::max(lost_, lost / (2 * norm));
    }
    margin_[c] = static_cast<float>(norm * kNormSlack);
    largest_norm_ = std::max(largest_norm_, norm);
    largest_bias_ = std::max(largest_bias_, square + 2 * mean_norm * norm);
    constant_error_ = std::max(constant_error_, 8 * kUnit * (square + 2 * mean_norm * norm));
  }
}

void NearestCentroid::bound_rows(const float* rows, std::size_t count, Workspace& workspace) const {
  workspace.rows.resize(std::max(workspace.rows.size(), count));
  if (products_ == Products::kBfloat16) {
    const std::size_t size = tiles::packed_size(tile_rows_, dimension_);
    if (workspace.packed.size() != size) workspace.packed.assign(size, 0);
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto& row = workspace.rows[i];
    double norm = 0;
    double lost = 0;
    double from_mean = 0;
    double measured = 0;
    if (products_ == Products::kBfloat16) {
      const auto squares =
          tiles::pack_row(rows + i * dimension_, mean_.data(), dimension_, i, workspace.packed.data());
      norm = std::sqrt(static_cast<double>(squares.row)) * kNormSlack + norm_underflow_;
      // Rounding y to float32 first loses another u |y|.
      lost = std::sqrt(static_cast<double>(squares.lost)) * kNormSlack + norm_underflow_ + 2 * kUnit * norm;
      from_mean = norm;
      measured = static_cast<double>(squares.row);
    } else {
      const auto squares = kernels::row_squares(rows + i * dimension_, mean_.data(), dimension_);
      norm = std::sqrt(static_cast<double>(squares.row)) * kNormSlack + norm_underflow_;
      from_mean = std::sqrt(static_cast<double>(squares.from_mean)) * kNormSlack + norm_underflow_;
      measured = static_cast<double>(squares.from_mean);
    }
    row.square = static_cast<float>(from_mean * from_mean * kNormSlack);
    // The float sum errs by less than 1.02 (d + 8) u of itself.
    row.least_square = static_cast<float>(std::max(0.0, measured * (1 - 1.2 * unit_) - underflow_));
    row.candidates.clear();
    row.least = kNever;
    row.lower = kNever;
    row.second_lower = kNever;
    row.reach = static_cast<float>(2 * (lost + (norm + lost) * (lost_ + 1.02 * unit_)) * kNormSlack);
    row.bounded = unit_ < 0.01 && norm * norm < kSafe && 2 * norm * largest_norm_ + largest_bias_ < kSafe;
  }
}

/// workspace.scores [count, n] = -2 z.s of the rows with the centroids first..first+n-1.
void NearestCentroid::multiply(const float* rows, std::size_t count, std::size_t first, std::size_t n,
                               Workspace& workspace) const {
  workspace.scores.resize(std::max(workspace.scores.size(), tile_rows_ * n));
  if (products_ == Products::kBfloat16) {
    tiles::multiply(workspace.packed.data(), count, packed_.data() + tiles::packed_size(first, dimension_), n,
                    dimension_, workspace.scores.data());
    return;
  }
  multiply_transposed(rows, static_cast<int>(count), shifted_.data() + first * dimension_,
                      static_cast<int>(n), static_cast<int>(dimension_), workspace.scores.data());
}

std::pair<std::int64_t, float> NearestCentroid::decide(const float* row, bool bounded,
                                                       Workspace& workspace) const {
  const auto& close = workspace.close;
  auto& distances = workspace.close_distances;
  distances.clear();
  for (const std::int32_t c : close) {
    distances.push_back(kernels::squared_distance(
        row, centroids_.data() + static_cast<std::size_t>(c) * dimension_, dimension_));
  }
  std::size_t choice = 0;
  if (close.size() > 1) {
    const double least = static_cast<double>(*std::ranges::min_element(distances));
    const double limit =
        bounded ? least * (1 + 4.3 * unit_) + underflow_ : std::numeric_limits<double>::infinity();
    float best = std::numeric_limits<float>::infinity();
    std::size_t left = 0;
    for (std::size_t i = 0; i < close.size(); ++i) {
      if (static_cast<double>(distances[i]) <= limit && ++left == 1) choice = i;
    }
    for (std::size_t i = 0; left > 1 && i < close.size(); ++i) {
      if (static_cast<double>(distances[i]) > limit) continue;
      const float distance = faiss::fvec_L2sqr(
          row, centroids_.data() + static_cast<std::size_t>(close[i]) * dimension_, dimension_);
      if (!(distance < best)) continue;
      best = distance;
      choice = i;
    }
  }
  // A value that is not a number, which finite rows do not give, counts as the largest too.
  constexpr float kLargest = std::numeric_limits<float>::max();
  return {close[choice], distances[choice] < kLargest ? distances[choice] : kLargest};
}

// Every centroid but the label has a lower bound of at least `rest`: the second least where the label has the
// least one. With A = |y|^2 + S at least the sum below, (|x - c| + u|s|)^2 >= D + |r| >= A by the bound on r.
float NearestCentroid::distance_of_others(const Workspace::Row& row, std::int64_t label) const {
  if (!row.bounded) return 0;
  const auto own = std::ranges::find(row.candidates, label, [](const auto& found) { return found.second; });
  const bool first = own != row.candidates.end() && own->first <= row.lower;
  const auto rest = static_cast<double>(first ? row.second_lower : row.lower);
  const double square = static_cast<double>(row.least_square) + rest - constant_error_ - underflow_ -
                        2 * kUnit * std::abs(rest);
  if (!(square > 0)) return 0;
  const double distance = std::sqrt(square) - kUnit * kNormSlack * largest_norm_ - norm_underflow_;
  return distance > 0 ? static_cast<float>(distance * (1 - 4 * kUnit)) : 0.0F;
}

// FAISS's float distance errs by at most (d + 8) u of the exact one, ours, q, as well. That to the label is
// hence at most q (1 + u')(1 + 1.02 u') with u' = (d + 8) u < 0.01, that to another centroid at least
// others^2 (1 - u'), and the quotient of the factors is below 1 + 4.3 u'. Sums far from the largest float
// cannot overflow; a value that is not a number fails every comparison.
std::optional<float> NearestCentroid::settled(const float* row, std::int64_t label, float others) const {
  if (!(others > 0) || !(unit_ < 0.01)) return std::nullopt;
  const float distance = kernels::squared_distance(
      row, centroids_.data() + static_cast<std::size_t>(label) * dimension_, dimension_);
  const auto q = static_cast<double>(distance);
  const double apart = static_cast<double>(others) * static_cast<double>(others);
  const bool certain = q < kSafe && q * (1 + 4.3 * unit_) + underflow_ < apart;
  return certain ? std::optional(distance) : std::nullopt;
}

void NearestCentroid::search_tile(const float* rows, std::size_t count, std::int64_t* labels,
                                  float* distances, float* others, Workspace& workspace) const {
  bound_rows(rows, count, workspace);
  const auto limit_of = [&](const Workspace::Row& row) {
    const double nearest = std::max(
        0.0, static_cast<double>(row.square) + static_cast<double>(row.least) + constant_error_ + underflow_);
    const double limit =
        static_cast<double>(row.least) + 2 * constant_error_ + 2.1 * unit_ * nearest + underflow_;
    return std::nextafter(static_cast<float>(limit), std::numeric_limits<float>::infinity());
  };
  const std::size_t all = padded(k_);
  for (std::size_t first = 0; first < all; first += kTileCentroids) {
    const std::size_t n = std::min(kTileCentroids, all - first);
    workspace.found.resize(kTileCentroids);
    workspace.lower_bounds.resize(kTileCentroids);
    multiply(rows, count, first, n, workspace);
    for (std::size_t i = 0; i < count; ++i) {
      auto& row = workspace.rows[i];
      if (!row.bounded) continue;
      const float* scores = workspace.scores.data() + i * n;
      row.least = std::min(row.least, kernels::least_upper_bound(scores, bias_.data() + first,
                                                                 margin_.data() + first, row.reach, n));
      if (others != nullptr) {
        const auto [lower, second] =
            kernels::least_lower_bounds(scores, bias_.data() + first, margin_.data() + first, row.reach, n);
        row.second_lower = std::min({row.second_lower, second, std::max(row.lower, lower)});
        row.lower = std::min(row.lower, lower);
      }
      const std::size_t found =
          kernels::below_limit(scores, bias_.data() + first, margin_.data() + first, row.reach, limit_of(row),
                               n, workspace.found.data(), workspace.lower_bounds.data());
      for (std::size_t f = 0; f < found; ++f) {
        row.candidates.emplace_back(workspace.lower_bounds[f],
                                    workspace.found[f] + static_cast<std::int32_t>(first));
      }
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto& row = workspace.rows[i];
    auto& close = workspace.close;
    close.clear();
    if (row.bounded) {
      const float limit = limit_of(row);
      for (const auto& [lower, c] : row.candidates) {
        if (lower <= limit) close.push_back(c);
      }
    } else {
      close.resize(k_);
      std::iota(close.begin(), close.end(), 0);
    }
    std::tie(labels[i], distances[i]) = decide(rows + i * dimension_, row.bounded, workspace);
    if (others != nullptr) others[i] = distance_of_others(row, labels[i]);
  }
}

void NearestCentroid::search(std::span<const float> rows, std::span<std::int64_t> labels,
                             std::span<float> distances, Workspace& workspace,
                             std::span<float> others) const {
  QUASAR_CHECK(rows.size() == labels.size() * dimension_ && distances.size() == labels.size());
  QUASAR_CHECK(others.empty() || others.size() == labels.size());
  for (std::size_t first = 0; first < labels.size(); first += tile_rows_) {
    search_tile(rows.data() + first * dimension_, std::min(tile_rows_, labels.size() - first),
                labels.data() + first, distances.data() + first,
                others.empty() ? nullptr : others.data() + first, workspace);
  }
}

std::size_t NearestCentroid::workspace_bytes(std::size_t k, std::size_t dimension) {
  return kTileRows * std::min(kTileCentroids, padded(k)) * sizeof(float) +
         kTileRows * (sizeof(Workspace::Row) + 64) +
         tiles::packed_size(2 * tiles::kRows, dimension) * sizeof(std::uint16_t) +
         kTileCentroids * (sizeof(float) + sizeof(std::int32_t));
}

std::size_t NearestCentroid::prepared_bytes(std::size_t k, std::size_t dimension) {
  return padded(k) * (dimension + 2) * sizeof(float) + dimension * (2 * sizeof(float) + sizeof(double));
}

}  // namespace quasar::cluster
