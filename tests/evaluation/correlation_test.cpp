#include "evaluation/correlation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/errors.h"
#include "base/random.h"

namespace quasar::evaluation {
namespace {

TEST(Correlation, TiesShareTheirAverageRank) {
  EXPECT_THAT(average_ranks(std::vector<double>{10, 20, 10, 5}), testing::ElementsAre(2.5, 4, 2.5, 1));
}

TEST(Correlation, PerfectAndReversedOrder) {
  const std::vector<double> a = {1, 2, 3, 4};
  const std::vector<double> b = {1, 8, 27, 64};
  const std::vector<double> c = {4, 3, 2, 1};
  EXPECT_DOUBLE_EQ(spearman(a, b), 1);
  EXPECT_DOUBLE_EQ(kendall(a, b), 1);
  EXPECT_DOUBLE_EQ(spearman(a, c), -1);
  EXPECT_DOUBLE_EQ(kendall(a, c), -1);
  EXPECT_LT(pearson(a, b), 1);
}

TEST(Correlation, KnownValuesWithTies) {
  const std::vector<double> a = {1, 2, 2, 3, 4};
  const std::vector<double> b = {1, 1, 3, 2, 4};
  const std::vector<double> rank_a = {1, 2.5, 2.5, 4, 5};
  const std::vector<double> rank_b = {1.5, 1.5, 4, 3, 5};
  EXPECT_DOUBLE_EQ(spearman(a, b), pearson(rank_a, rank_b));
  // Pairs: 10; ties in a: 1; ties in b: 1; concordant 7; discordant 1.
  EXPECT_NEAR(kendall(a, b), 6.0 / 9.0, 1e-15);
}

TEST(Correlation, KendallEqualsTheDefinitionOnRandomTies) {
  base::Random random(3);
  std::vector<double> a(120);
  std::vector<double> b(120);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<double>(random.below(15));
    b[i] = static_cast<double>(random.below(9)) + 0.3 * a[i];
  }
  double sum = 0;
  double untied_a = 0;
  double untied_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const auto sign = [](double x) { return static_cast<double>((x > 0) - (x < 0)); };
      sum += sign(a[i] - a[j]) * sign(b[i] - b[j]);
      untied_a += a[i] != a[j] ? 1 : 0;
      untied_b += b[i] != b[j] ? 1 : 0;
    }
  }
  EXPECT_NEAR(kendall(a, b), sum / std::sqrt(untied_a * untied_b), 1e-12);
}

TEST(Correlation, UndefinedCasesAreNaNOrErrors) {
  const std::vector<double> one = {1};
  const std::vector<double> constant = {2, 2, 2};
  const std::vector<double> varied = {1, 2, 3};
  EXPECT_TRUE(std::isnan(pearson(one, one)));
  EXPECT_TRUE(std::isnan(spearman(constant, varied)));
  EXPECT_TRUE(std::isnan(kendall(constant, varied)));
  EXPECT_THROW(spearman(one, varied), base::Error);
  EXPECT_THROW(spearman(std::vector<double>{1, NAN, 2}, varied), base::Error);
}

}  // namespace
}  // namespace quasar::evaluation
