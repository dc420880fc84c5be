// Owns the score of an embedding against anchor centroids.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

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

/// Bootstrap draws of anchor pairs, prepared for many rows.
class DrawnScores {
 public:
  /// Centroids [draws, pairs, d] of each side, as averaged. Throws Error(kMismatch) when shapes disagree,
  /// Error(kInput) for a centroid without direction.
  DrawnScores(std::span<const float> good, std::span<const float> bad, std::size_t pairs,
              std::size_t dimension);

  /// The standard deviation over the draws (n - 1) of the embedding's score: the standard error that comes
  /// of the choice of anchors. NaN where there is no score. Not to be called by several threads at once.
  double error_of(std::span<const float> embedding, double temperature = kTemperature);

 private:
  std::size_t pairs_;
  std::size_t dimension_;
  std::size_t draws_;
  std::vector<double> differences_;  ///< [d, draws * pairs], good - bad, each of unit length before.
  std::vector<double> products_;
};

/// The largest cosine between an embedding and the centroids [n, d], as averaged. NaN for an embedding
/// without direction; centroids without one are passed over.
double nearest_cosine(std::span<const float> embedding, std::span<const float> centroids);

/// score_row of each row of embeddings [n, d] into scores [n]. Throws Error(kMismatch) when shapes do not
/// agree.
void score_rows(std::span<const float> embeddings, const AnchorPairs& anchors, std::span<float> scores,
                double temperature = kTemperature);

}  // namespace quasar::scoring
