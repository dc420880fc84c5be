// Owns the score of an embedding against anchor centroids.
#pragma once

#include <cstddef>
#include <span>

namespace quasar::scoring {

/// Divisor of the cosines in the softmax (CLIP's logit scale is its inverse).
inline constexpr double kTemperature = 0.07;

/// Pairs of anchor centroids: good and bad [pairs, d], every row of unit L2 norm. Views; the owner outlives
/// them.
struct AnchorPairs {
  std::span<const float> good;
  std::span<const float> bad;
  std::size_t dimension = 0;

  std::size_t pairs() const { return dimension == 0 ? 0 : good.size() / dimension; }
};

/// Mean over the pairs of softmax([x.g, x.b] / temperature)[0], x the embedding [d] divided by its L2 norm
/// (QUASAR, arXiv 2403.06866). In (0, 1), higher is better; NaN for an embedding that is not finite or is
/// zero. Sums run in double precision in a fixed order, so the result depends on the row alone.
double score_row(std::span<const float> embedding, const AnchorPairs& anchors,
                 double temperature = kTemperature);

/// score_row of each row of embeddings [n, d] into scores [n]. Throws Error(kMismatch) when shapes do not
/// agree.
void score_rows(std::span<const float> embeddings, const AnchorPairs& anchors, std::span<float> scores,
                double temperature = kTemperature);

}  // namespace quasar::scoring
