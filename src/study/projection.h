// Owns how good and bad anchors lie in the space of an encoder: their principal components, and their places
// on the line from the bad centroid to the good one, with numbers of how far they are apart.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quasar::study {

/// Rows [n, d] of two sides and their centroids [d].
struct TwoSides {
  std::span<const float> good, bad;
  std::span<const float> good_centroid, bad_centroid;
  std::size_t dimension = 0;
};

struct Plane {
  std::vector<double> good_x, good_y, bad_x, bad_y;  ///< Of each row.
  double good_centroid[2] = {0, 0};
  double bad_centroid[2] = {0, 0};
  double explained[2] = {0, 0};  ///< Share of the variance, by component.
};

/// The first two principal components of all rows, each row of unit length before. By power iteration from a
/// fixed start; the sign is such that the good centroid lies to the right.
Plane principal_plane(const TwoSides& sides);

struct Separation {
  std::vector<double> good, bad;  ///< x.(g - b) / |g - b| of rows and centroids of unit length.
  double auc = 0;  ///< Share of pairs of a good and a bad row in which the good one lies higher; ties half.
  double d_prime = 0;  ///< Difference of the means by the root of the mean variance; NaN for no variance.
};
Separation separation(const TwoSides& sides);

}  // namespace quasar::study
