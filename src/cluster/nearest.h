// Owns the search for the nearest centroid: fast by matrix products, decided by FAISS's own distance.
//
// A matrix product gives all distances of a block of rows up to a known error bound, but its last bits
// depend on the library, the processor and a row's place in the block. So it only rules out: what is left
// within the bounds (most often one centroid) is measured by kernels::squared_distance, and what even that
// leaves too close to call is compared by faiss::fvec_L2sqr on the unchanged row and centroid. The label is
// that of FAISS's exhaustive search without BLAS, and depends on the row and the centroids alone; so does the
// distance. Products may therefore be as coarse as bfloat16, which processors with a matrix unit (AMX) make
// many times as fast as float32, and those with AVX512_BF16 twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quasar::cluster {

/// What bounds the distances; no part of it changes a result.
enum class Products {
  kFloat,     ///< float32, by BLAS.
  kBfloat16,  ///< By the processor's matrix unit or vectors (bfloat16_tiles.h).
};
Products fastest_products();

/// Centroids [k, d], prepared for many searches. Searches may run in several threads at once, each with a
/// Workspace of its own, which serves one dimension. The centroids must outlive the object.
class NearestCentroid {
 public:
  /// Rows that one matrix product takes at most; more in one call are cut up.
  static constexpr std::size_t kTileRows = 512;
  /// Centroids that one matrix product takes.
  static constexpr std::size_t kTileCentroids = 512;

  NearestCentroid(std::span<const float> centroids, std::size_t dimension,
                  Products products = fastest_products());

  struct Workspace {
    std::vector<std::uint16_t> packed;
    std::vector<float> scores;
    std::vector<float> lower_bounds;
    std::vector<std::int32_t> found;
    std::vector<std::int32_t> close;
    std::vector<float> close_distances;
    struct Row {
      float reach = 0;   ///< Error of a score by norm of the centroid: bounds lie score +- reach * margin.
      float square = 0;  ///< At least |x - mean|^2, which completes a score to a distance.
      float least_square = 0;  ///< At most |x - mean|^2.
      float least = 0;         ///< Least upper bound so far.
      float lower = 0;         ///< Least lower bound so far,
      float second_lower = 0;  ///< and the least of the rest.
      bool bounded = true;     ///< False when a product may overflow; then every centroid is compared.
      std::vector<std::pair<float, std::int32_t>> candidates;
    };
    std::vector<Row> rows;
  };

  /// Rows that are best searched together: a tile stays in the second-level cache with its products.
  std::size_t tile_rows() const { return tile_rows_; }

  /// For each of the finite rows [n, d]: the centroid with the least fvec_L2sqr, ties by the lowest index,
  /// and kernels::squared_distance to it (at most the largest float). In `others` [n], unless it is empty: at
  /// most the exact L2 distance to the nearest of the centroids that are not the label; 0 where none is
  /// known.
  void search(std::span<const float> rows, std::span<std::int64_t> labels, std::span<float> distances,
              Workspace& workspace, std::span<float> others = {}) const;

  /// kernels::squared_distance of a row [d] to the centroid `label`, if that is certainly the one that search
  /// would find: `others` is at most the exact L2 distance to every other centroid.
  std::optional<float> settled(const float* row, std::int64_t label, float others) const;

  /// Bytes of one workspace when few candidates are left.
  static std::size_t workspace_bytes(std::size_t k, std::size_t dimension);
  /// Bytes of the prepared centroids.
  static std::size_t prepared_bytes(std::size_t k, std::size_t dimension);

 private:
  void search_tile(const float* rows, std::size_t count, std::int64_t* labels, float* distances,
                   float* others, Workspace& workspace) const;
  float distance_of_others(const Workspace::Row& row, std::int64_t label) const;
  void bound_rows(const float* rows, std::size_t count, Workspace& workspace) const;
  void multiply(const float* rows, std::size_t count, std::size_t first, std::size_t n,
                Workspace& workspace) const;
  /// The label among workspace.close, and the distance.
  std::pair<std::int64_t, float> decide(const float* row, bool bounded, Workspace& workspace) const;

  std::span<const float> centroids_;
  std::size_t dimension_;
  std::size_t k_;
  Products products_;
  std::size_t tile_rows_;
  std::vector<float> mean_;            ///< [d], of the centroids.
  std::vector<float> shifted_;         ///< [k padded, d], -2 (centroids less the mean), for kFloat.
  std::vector<std::uint16_t> packed_;  ///< The same for kBfloat16.
  std::vector<float> bias_;            ///< [k padded], what a product lacks of |x - c|^2 - |x - mean|^2.
  std::vector<float> margin_;          ///< [k padded], norms of the shifted centroids.
  double largest_norm_ = 0;            ///< Of margin_.
  double largest_bias_ = 0;
  double lost_ = 0;            ///< Largest part of a centroid's norm that rounding to bfloat16 loses.
  double unit_ = 0;            ///< Relative error of a float sum of d products.
  double constant_error_ = 0;  ///< Part of a score's error that does not depend on the row.
  double underflow_ = 0;       ///< Products below the least normal number may be lost altogether.
  double norm_underflow_ = 0;  ///< So may squares, from a norm.
};

}  // namespace quasar::cluster
