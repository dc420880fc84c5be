#include "scoring/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/errors.h"

namespace quasar::scoring {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void check_shapes(const AnchorPairs& anchors) {
  const std::size_t d = anchors.dimension;
  if (d == 0 || anchors.good.empty() || anchors.good.size() != anchors.bad.size() ||
      anchors.good.size() % d != 0) {
    base::fail(base::ExitCode::kMismatch, "anchors must hold as many good as bad centroids of " +
                                              std::to_string(d) + " values each, not " +
                                              std::to_string(anchors.good.size()) + " and " +
                                              std::to_string(anchors.bad.size()) + " values");
  }
}

}  // namespace

double score_row(std::span<const float> embedding, const AnchorPairs& anchors, double temperature) {
  const std::size_t d = anchors.dimension;
  const double norm = std::sqrt(dot(embedding, embedding));
  if (!std::isfinite(norm) || norm == 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (std::size_t pair = 0; pair < anchors.pairs(); ++pair) {
    const double good = dot(embedding, anchors.good.subspan(pair * d, d)) / norm;
    const double bad = dot(embedding, anchors.bad.subspan(pair * d, d)) / norm;
    // softmax over two values is the logistic function of their difference.
    sum += 1.0 / (1.0 + std::exp((bad - good) / temperature));
  }
  return sum / static_cast<double>(anchors.pairs());
}

DrawnScores::DrawnScores(std::span<const float> good, std::span<const float> bad, std::size_t pairs,
                         std::size_t dimension)
    : pairs_(pairs),
      dimension_(dimension),
      draws_(good.size() / std::max<std::size_t>(1, pairs * dimension)) {
  if (pairs == 0 || dimension == 0 || draws_ < 2 || good.size() != bad.size() ||
      good.size() != draws_ * pairs * dimension) {
    base::fail(base::ExitCode::kMismatch, "the draws of anchors do not hold as many pairs as the anchors");
  }
  const std::size_t columns = draws_ * pairs_;
  differences_.resize(columns * dimension_);
  for (std::size_t c = 0; c < columns; ++c) {
    const auto g = good.subspan(c * dimension_, dimension_);
    const auto b = bad.subspan(c * dimension_, dimension_);
    const double good_norm = std::sqrt(dot(g, g));
    const double bad_norm = std::sqrt(dot(b, b));
    if (!(good_norm > 0) || !(bad_norm > 0))
      base::fail(base::ExitCode::kInput, "a drawn anchor centroid is zero and so has no direction");
    for (std::size_t j = 0; j < dimension_; ++j)
      differences_[j * columns + c] =
          static_cast<double>(g[j]) / good_norm - static_cast<double>(b[j]) / bad_norm;
  }
}

double DrawnScores::error_of(std::span<const float> embedding, double temperature) {
  const double norm = std::sqrt(dot(embedding, embedding));
  if (!std::isfinite(norm) || norm == 0) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t columns = draws_ * pairs_;
  products_.assign(columns, 0.0);
  // Columns side by side: the sum of each runs over d in order, whatever the processor does at once.
  for (std::size_t j = 0; j < dimension_; ++j) {
    const double x = static_cast<double>(embedding[j]);
    const double* const row = differences_.data() + j * columns;
    for (std::size_t c = 0; c < columns; ++c) products_[c] += x * row[c];
  }
  double mean = 0;
  for (std::size_t draw = 0; draw < draws_; ++draw) {
    double sum = 0;
    for (std::size_t pair = 0; pair < pairs_; ++pair)
      sum += 1.0 / (1.0 + std::exp(-products_[draw * pairs_ + pair] / norm / temperature));
    products_[draw] = sum / static_cast<double>(pairs_);
    mean += products_[draw];
  }
  mean /= static_cast<double>(draws_);
  double square = 0;
  for (std::size_t draw = 0; draw < draws_; ++draw)
    square += (products_[draw] - mean) * (products_[draw] - mean);
  return std::sqrt(square / static_cast<double>(draws_ - 1));
}

double nearest_cosine(std::span<const float> embedding, std::span<const float> centroids) {
  const double norm = std::sqrt(dot(embedding, embedding));
  if (!std::isfinite(norm) || norm == 0) return std::numeric_limits<double>::quiet_NaN();
  double nearest = -1;
  for (std::size_t at = 0; at + embedding.size() <= centroids.size(); at += embedding.size()) {
    const auto centroid = centroids.subspan(at, embedding.size());
    const double length = std::sqrt(dot(centroid, centroid));
    if (length > 0) nearest = std::max(nearest, dot(embedding, centroid) / norm / length);
  }
  return nearest;
}

void score_rows(std::span<const float> embeddings, const AnchorPairs& anchors, std::span<float> scores,
                double temperature) {
  check_shapes(anchors);
  const std::size_t d = anchors.dimension;
  if (embeddings.size() != scores.size() * d) {
    base::fail(base::ExitCode::kMismatch, "the anchors have " + std::to_string(d) + " dimensions, and " +
                                              std::to_string(embeddings.size()) + " values are no " +
                                              std::to_string(scores.size()) + " embeddings of that length");
  }
  for (std::size_t row = 0; row < scores.size(); ++row) {
    scores[row] = static_cast<float>(score_row(embeddings.subspan(row * d, d), anchors, temperature));
  }
}

}  // namespace quasar::scoring
