#include "cluster/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <faiss/utils/distances.h>

#include "base/errors.h"
#include "cluster/row_kernels.h"

extern "C" {
// Fortran's interface, which every BLAS has.
int sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
           const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
           const float* beta, float* c, const int* ldc);
}

namespace quasar::cluster {
namespace {

constexpr double kUnit = 0x1p-24;  // Rounding unit of float32.
constexpr float kNever = std::numeric_limits<float>::max() / 8;
/// Sums below this cannot overflow a float.
constexpr double kSafe = 1e36;

std::size_t padded(std::size_t k) {
  return (k + kernels::kLanes - 1) / kernels::kLanes * kernels::kLanes;
}

/// scores [rows, n] = -2 * rows [rows, d] * centroids [n, d]^T
void multiply(const float* rows, std::size_t count, const float* centroids, std::size_t n, std::size_t d,
              float* scores) {
  const auto m = static_cast<int>(n);
  const auto columns = static_cast<int>(count);
  const auto depth = static_cast<int>(d);
  const float alpha = -2;
  const float beta = 0;
  sgemm_("T", "N", &m, &columns, &depth, &alpha, centroids, &depth, rows, &depth, &beta, scores, &m);
}

}  // namespace

// Bounds. With mu the mean, c the centroid as given, s = float(c - mu), u the rounding unit and D = |x -
// c|^2:
//   D = |x - mu|^2 + S + r,  S = |s|^2 + 2 mu.s - 2 x.s,  |r| <= 2 |x - c| u|s| + u^2 |s|^2,
// where r comes of rounding s. A float product in any order errs by at most 1.01 d u |x||s| (Higham, Accuracy
// and Stability, 3.1, for d u < 0.01), and the rounded bias and sum by u each. Together the score errs by at
// most
//   |x| * margin + constant, margin = 2.04 (d + 8) u |s|, constant = 8 u (|s|^2 + 2 |mu||s|),
// and FAISS's float distance errs by at most (d + 8) u D. Its least one therefore has a D no more than
// 2.1 (d + 8) u D above the least D.
NearestCentroid::NearestCentroid(std::span<const float> centroids, std::size_t dimension)
    : centroids_(centroids), dimension_(dimension), k_(centroids.size() / dimension) {
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
  const double per_product = static_cast<double>(dimension + 8) * kUnit;
  shifted_.assign(padded(k_) * dimension, 0);
  bias_.assign(padded(k_), kNever);
  margin_.assign(padded(k_), 0);
  for (std::size_t c = 0; c < k_; ++c) {
    double square = 0;
    double with_mean = 0;
    for (std::size_t j = 0; j < dimension; ++j) {
      const double mean = static_cast<double>(mean_[j]);
      const auto s = static_cast<float>(static_cast<double>(centroids[c * dimension + j]) - mean);
      shifted_[c * dimension + j] = s;
      square += static_cast<double>(s) * static_cast<double>(s);
      with_mean += static_cast<double>(s) * mean;
    }
    const double norm = std::sqrt(square);
    const double bias = square + 2 * with_mean;
    bias_[c] = static_cast<float>(bias);
    margin_[c] = static_cast<float>(2.04 * per_product * norm);
    largest_norm_ = std::max(largest_norm_, norm);
    largest_bias_ = std::max(largest_bias_, square + 2 * mean_norm * norm);
    constant_error_ = std::max(constant_error_, 8 * kUnit * (square + 2 * mean_norm * norm));
  }
}

void NearestCentroid::bound_rows(const float* rows, std::size_t count, Workspace& workspace) const {
  workspace.rows.resize(std::max(workspace.rows.size(), count));
  for (std::size_t i = 0; i < count; ++i) {
    auto& row = workspace.rows[i];
    const auto norms = kernels::row_norms(rows + i * dimension_, mean_.data(), dimension_);
    const double norm = std::sqrt(norms.square);
    row.candidates.clear();
    row.least = kNever;
    row.reach = static_cast<float>(norm * 1.0001);
    // |x - mu|^2, completed to the least D by `least` when candidates are chosen.
    row.slack = static_cast<float>(norms.square_from_mean * 1.0001);
    row.bounded = static_cast<double>(dimension_) * kUnit < 0.01 && norms.square < kSafe &&
                  2 * norm * largest_norm_ + largest_bias_ < kSafe;
  }
}

void NearestCentroid::search_tile(const float* rows, std::size_t count, std::int64_t* labels,
                                  float* distances, Workspace& workspace) const {
  bound_rows(rows, count, workspace);
  const double per_product = static_cast<double>(dimension_ + 8) * kUnit;
  // Products below the least normal number may be lost altogether.
  const double underflow = 4 * static_cast<double>(dimension_) * std::numeric_limits<float>::min();
  const auto limit_of = [&](const Workspace::Row& row) {
    const double nearest = std::max(
        0.0, static_cast<double>(row.slack) + static_cast<double>(row.least) + constant_error_ + underflow);
    const double limit =
        static_cast<double>(row.least) + 2 * constant_error_ + 2.1 * per_product * nearest + underflow;
    return std::nextafter(static_cast<float>(limit), std::numeric_limits<float>::infinity());
  };
  const std::size_t all = padded(k_);
  for (std::size_t first = 0; first < all; first += kTileCentroids) {
    const std::size_t n = std::min(kTileCentroids, all - first);
    workspace.scores.resize(std::max(workspace.scores.size(), count * n));
    workspace.found.resize(kTileCentroids);
    workspace.lower_bounds.resize(kTileCentroids);
    multiply(rows, count, shifted_.data() + first * dimension_, n, dimension_, workspace.scores.data());
    for (std::size_t i = 0; i < count; ++i) {
      auto& row = workspace.rows[i];
      if (!row.bounded) continue;
      const float* scores = workspace.scores.data() + i * n;
      row.least = std::min(row.least, kernels::least_upper_bound(scores, bias_.data() + first,
                                                                 margin_.data() + first, row.reach, n));
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
    const float* values = rows + i * dimension_;
    float best = std::numeric_limits<float>::infinity();
    std::int64_t label = 0;
    const auto compare = [&](std::size_t c) {
      const float distance = faiss::fvec_L2sqr(values, centroids_.data() + c * dimension_, dimension_);
      if (!(distance < best)) return;
      best = distance;
      label = static_cast<std::int64_t>(c);
    };
    if (row.bounded) {
      const float limit = limit_of(row);
      for (const auto& [lower, c] : row.candidates) {
        if (lower <= limit) compare(static_cast<std::size_t>(c));
      }
    } else {
      for (std::size_t c = 0; c < k_; ++c) compare(c);
    }
    labels[i] = label;
    distances[i] = std::min(best, std::numeric_limits<float>::max());
  }
}

void NearestCentroid::search(std::span<const float> rows, std::span<std::int64_t> labels,
                             std::span<float> distances, Workspace& workspace) const {
  QUASAR_CHECK(rows.size() == labels.size() * dimension_ && distances.size() == labels.size());
  for (std::size_t first = 0; first < labels.size(); first += kTileRows) {
    search_tile(rows.data() + first * dimension_, std::min(kTileRows, labels.size() - first),
                labels.data() + first, distances.data() + first, workspace);
  }
}

std::size_t NearestCentroid::workspace_bytes(std::size_t k) {
  return kTileRows * std::min(kTileCentroids, padded(k)) * sizeof(float) +
         kTileRows * (sizeof(Workspace::Row) + 64) + kTileCentroids * (sizeof(float) + sizeof(std::int32_t));
}

std::size_t NearestCentroid::prepared_bytes(std::size_t k, std::size_t dimension) {
  return padded(k) * (dimension + 2) * sizeof(float) + dimension * (sizeof(float) + sizeof(double));
}

}  // namespace quasar::cluster
