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

Assignment fast(const std::vector<float>& rows, const std::vector<float>& centroids, std::size_t d,
                Products products = fastest_products()) {
  Assignment result{std::vector<std::int64_t>(rows.size() / d), std::vector<float>(rows.size() / d)};
  NearestCentroid::Workspace workspace;
  NearestCentroid(centroids, d, products).search(rows, result.labels, result.distances, workspace);
  return result;
}

/// FAISS's choice, centroid by centroid.
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

/// With each kind of product that this machine has: FAISS's labels, its distances up to rounding, and all the
/// same bits.
void expect_exhaustive(const std::vector<float>& rows, const std::vector<float>& centroids, std::size_t d) {
  const auto expected = exhaustive(rows, centroids, d);
  const auto plain = fast(rows, centroids, d, Products::kFloat);
  EXPECT_EQ(plain.labels, expected.labels);
  const double error = 2.1 * static_cast<double>(d + 8) * 0x1p-24;
  for (std::size_t i = 0; i < expected.distances.size(); ++i) {
    const auto distance = static_cast<double>(expected.distances[i]);
    ASSERT_NEAR(static_cast<double>(plain.distances[i]), distance, error * distance + 1e-37);
  }
  if (fastest_products() == Products::kFloat) return;
  const auto coarse = fast(rows, centroids, d, Products::kBfloat16);
  EXPECT_EQ(coarse.labels, expected.labels);
  EXPECT_EQ(coarse.distances, plain.distances);
}

TEST(NearestCentroid, IsFaissExhaustiveSearchInManyShapes) {
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

TEST(NearestCentroid, KeepsToItWhereNothingButRoundingTellsCentroidsApart) {
  // Pairs of centroids a few units of float32 apart; half of the rows lie between the two of a pair.
  for (const std::size_t d : {24U, 200U, 1024U}) {
    SCOPED_TRACE(d);
    auto centroids = normal_rows(40, d, 0.5, 1, 21);
    auto rows = normal_rows(400, d, 0.5, 1, 22);
    base::Random random(23);
    const auto nudged = [&](float value) {
      return value * (1 + static_cast<float>(random.normal()) * 1e-7F);
    };
    for (std::size_t i = 0; i < 20 * d; ++i) centroids[20 * d + i] = nudged(centroids[i]);
    for (std::size_t i = 0; i < 200 * d; ++i) rows[i] = nudged(centroids[i % (20 * d)]) + 0.01F * rows[i];
    expect_exhaustive(rows, centroids, d);
  }
}

TEST(NearestCentroid, KeepsToItWhereAllRoundingToBfloat16PointsOneWay) {
  // Random errors cancel and hardly ever come near the bounds; these add up. Ones lie half way between the
  // centroids 0 and 2, and values just beside them, on both sides, are rounded so that their mean crosses.
  constexpr std::size_t kDimension = 60;
  const auto alternating = [](float scale, float even, float odd) {
    std::vector<float> values(kDimension);
    for (std::size_t j = 0; j < kDimension; ++j) values[j] = scale * (j % 2 == 0 ? even : odd);
    return values;
  };
  const auto with_mirror = [](const std::vector<float>& centroid) {
    std::vector<float> centroids(3 * kDimension, 0.0F);  // The mean is 0 with the negative one.
    for (std::size_t j = 0; j < kDimension; ++j) {
      centroids[j] = -centroid[j];
      centroids[2 * kDimension + j] = centroid[j];
    }
    return centroids;
  };
  // The row is rounded to 0.99609375 and 1.
  const auto row = alternating(1, 0.9975F, 1.0035F);
  expect_exhaustive(row, with_mirror(alternating(2, 1, 1)), kDimension);
  EXPECT_EQ(fast(row, with_mirror(alternating(2, 1, 1)), kDimension).labels[0], 2);
  // So is a centroid, with the row exact.
  const auto centroids = with_mirror(alternating(2, 0.9975F, 1.0018F));
  expect_exhaustive(alternating(1, 1, 1), centroids, kDimension);
  EXPECT_EQ(fast(alternating(1, 1, 1), centroids, kDimension).labels[0], 2);
}

TEST(NearestCentroid, ARowThatIsNotFiniteIsFarFromAllAndHarmsNoOther) {
  constexpr std::size_t kDimension = 70;
  const auto centroids = normal_rows(33, kDimension, 0, 1, 31);
  const auto rows = normal_rows(100, kDimension, 0, 1, 32);
  const auto expected = fast(rows, centroids, kDimension);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto poisoned = rows;
    poisoned[7 * kDimension + 69] = bad;
    const auto result = fast(poisoned, centroids, kDimension);
    EXPECT_EQ(result.distances[7], std::numeric_limits<float>::max());
    for (std::size_t i = 0; i < 100; ++i) {
      if (i == 7) continue;
      EXPECT_EQ(result.labels[i], expected.labels[i]);
      EXPECT_EQ(result.distances[i], expected.distances[i]);
    }
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
  expect_exhaustive(rows, centroids, kDimension);
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
