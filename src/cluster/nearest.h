// Owns the search for the nearest centroid: fast by matrix products, decided by FAISS's own distance.
//
// A matrix product gives all distances of a block of rows up to a known error bound, but its last bits
// depend on the BLAS library and on a row's place in the block. So it only rules out: what is left within the
// bounds (most often one centroid) is compared by faiss::fvec_L2sqr on the unchanged row and centroid. The
// result is that of FAISS's exhaustive search without BLAS, bit for bit, and depends on the row and the
// centroids alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quasar::cluster {

/// Centroids [k, d], prepared for many searches. Searches may run in several threads at once, each with a
/// Workspace of its own. The centroids must outlive the object.
class NearestCentroid {
 public:
  /// Rows that one matrix product takes; more in one call are cut up.
  static constexpr std::size_t kTileRows = 512;
  /// Centroids that one matrix product takes.
  static constexpr std::size_t kTileCentroids = 512;

  NearestCentroid(std::span<const float> centroids, std::size_t dimension);

  struct Workspace {
    std::vector<float> scores;
    std::vector<float> lower_bounds;
    std::vector<std::int32_t> found;
    struct Row {
      float reach = 0;      ///< Norm of the row: bounds lie score +- reach * margin.
      float slack = 0;      ///< How far above the least upper bound FAISS's choice can lie.
      float least = 0;      ///< Least upper bound so far.
      bool bounded = true;  ///< False when a product may overflow; then every centroid is compared.
      std::vector<std::pair<float, std::int32_t>> candidates;
    };
    std::vector<Row> rows;
  };

  /// For each of the finite rows [n, d]: the centroid with the least fvec_L2sqr, ties by the lowest index,
  /// and that squared distance (at most the largest float).
  void search(std::span<const float> rows, std::span<std::int64_t> labels, std::span<float> distances,
              Workspace& workspace) const;

  /// Bytes of one workspace when few candidates are left.
  static std::size_t workspace_bytes(std::size_t k);
  /// Bytes of the prepared centroids.
  static std::size_t prepared_bytes(std::size_t k, std::size_t dimension);

 private:
  void search_tile(const float* rows, std::size_t count, std::int64_t* labels, float* distances,
                   Workspace& workspace) const;
  void bound_rows(const float* rows, std::size_t count, Workspace& workspace) const;

  std::span<const float> centroids_;
  std::size_t dimension_;
  std::size_t k_;
  std::vector<float> mean_;     ///< [d], of the centroids.
  std::vector<float> shifted_;  ///< [k padded, d], centroids less the mean.
  std::vector<float> bias_;     ///< [k padded], |shifted|^2 + 2 mean.shifted
  std::vector<float> margin_;   ///< [k padded], error of a score by norm of the row.
  double largest_norm_ = 0;     ///< Of shifted_.
  double largest_bias_ = 0;
  double constant_error_ = 0;  ///< Part of the error that does not depend on the row.
};

}  // namespace quasar::cluster
