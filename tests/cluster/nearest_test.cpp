#include "cluster/nearest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <faiss/utils/distances.h>

#include "base/random.h"
#include "cluster/kmeans.h"

namespace quasar::cluster {
namespace {

struct Assignment {
  std::vector<std::int64_t> labels;
  std::vector<float> distances;
};

std::vector<float> normal_rows(std::size_t n, std::size_t d, double offset, double scale,
                               std::uint64_t seed) {
  base::Random random(seed);
  std::vector<float> rows(n * d);
  for (auto& value : rows) value = static_cast<float>(offset + scale * random.normal());
  return rows;
}

Assignment fast(const std::vector<float>& rows, const std::vector<float>& centroids, std::size_t d) {
  Assignment result{std::vector<std::int64_t>(rows.size() / d), std::vector<float>(rows.size() / d)};
  assign(rows, centroids, d, result.labels, result.distances);
  return result;
}

/// What the header promises, centroid by centroid.
Assignment exhaustive(const std::vector<float>& rows, const std::vector<float>& centroids, std::size_t d) {
  Assignment result;
  for (std::size_t i = 0; i < rows.size() / d; ++i) {
    float best = std::numeric_limits<float>::infinity();
    std::int64_t label = 0;
    for (std::size_t c = 0; c < centroids.size() / d; ++c) {
      const float distance = faiss::fvec_L2sqr(rows.data() + i * d, centroids.data() + c * d, d);
      if (distance < best) {
        best = distance;
        label = static_cast<std::int64_t>(c);
      }
    }
    result.labels.push_back(label);
    result.distances.push_back(std::min(best, std::numeric_limits<float>::max()));
  }
  return result;
}

void expect_exhaustive(const std::vector<float>& rows, const std::vector<float>& centroids, std::size_t d) {
  const auto actual = fast(rows, centroids, d);
  const auto expected = exhaustive(rows, centroids, d);
  EXPECT_EQ(actual.labels, expected.labels);
  EXPECT_EQ(actual.distances, expected.distances);
}

TEST(NearestCentroid, IsFaissExhaustiveSearchBitForBitInManyShapes) {
  for (const std::size_t d : {1U, 3U, 8U, 17U, 64U, 333U}) {
    for (const std::size_t k : {1U, 2U, 15U, 16U, 17U, 511U, 513U, 1100U}) {
      SCOPED_TRACE(testing::Message() << "d " << d << ", k " << k);
      expect_exhaustive(normal_rows(700, d, 0, 1, d), normal_rows(k, d, 0, 1, k + 1000), d);
    }
  }
}

TEST(NearestCentroid, KeepsToItWhereProductsCancelOrVanishOrOverflow) {
  constexpr std::size_t kDimension = 48;
  struct Case {
    double offset, row_scale, centroid_scale;
  };
  for (const auto& [offset, row_scale, centroid_scale] :
       {Case{1000, 1e-3, 1e-3}, Case{1e6, 1, 1}, Case{0, 1e-21, 1e-21}, Case{0, 1e-30, 1e-30},
        Case{0, 1e17, 1e17}, Case{0, 1e25, 1e25}, Case{0, 1e-3, 1e20}, Case{-50, 1e3, 1e-6}}) {
    SCOPED_TRACE(testing::Message() << offset << " " << row_scale << " " << centroid_scale);
    expect_exhaustive(normal_rows(600, kDimension, offset, row_scale, 3),
                      normal_rows(40, kDimension, offset, centroid_scale, 4), kDimension);
  }
}

TEST(NearestCentroid, TiesGoToTheLowestCentroid) {
  constexpr std::size_t kDimension = 40;
  auto centroids = normal_rows(20, kDimension, 0, 1, 7);
  // Centroid 19 - c repeats centroid c, and rows lie on them.
  for (std::size_t c = 0; c < 10; ++c) {
    for (std::size_t j = 0; j < kDimension; ++j) {
      centroids[(19 - c) * kDimension + j] = centroids[c * kDimension + j];
    }
  }
  const auto result = fast(centroids, centroids, kDimension);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(result.labels[i], static_cast<std::int64_t>(std::min(i, 19 - i)));
    EXPECT_EQ(result.distances[i], 0.0F);
  }
}

TEST(NearestCentroid, ARowsResultDoesNotDependOnItsPlaceAmongOthers) {
  constexpr std::size_t kDimension = 130;
  constexpr std::size_t kRows = 1200;
  // Centroids so close to each other that products alone would often decide by their rounding.
  const auto centroids = normal_rows(64, kDimension, 3, 1e-6, 11);
  const auto rows = normal_rows(kRows, kDimension, 3, 1, 12);
  const auto all = fast(rows, centroids, kDimension);
  std::vector<float> reversed(rows.size());
  for (std::size_t i = 0; i < kRows; ++i) {
    std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(i * kDimension), kDimension,
                reversed.begin() + static_cast<std::ptrdiff_t>((kRows - 1 - i) * kDimension));
  }
  const auto backwards = fast(reversed, centroids, kDimension);
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_EQ(all.labels[i], backwards.labels[kRows - 1 - i]);
    EXPECT_EQ(all.distances[i], backwards.distances[kRows - 1 - i]);
    const std::vector<float> row(rows.begin() + static_cast<std::ptrdiff_t>(i * kDimension),
                                 rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * kDimension));
    EXPECT_EQ(all.labels[i], fast(row, centroids, kDimension).labels[0]);
  }
}

}  // namespace
}  // namespace quasar::cluster
