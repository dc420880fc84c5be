#include "scoring/score.h"

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
