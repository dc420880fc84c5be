#include "evaluation/folds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/errors.h"

namespace quasar::evaluation {
namespace {

TEST(Folds, TheOrderIsThatOfNumPy) {
  // numpy.random.RandomState(42).permutation(10).
  EXPECT_EQ(random_order(10, 42), (std::vector<std::size_t>{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}));
  EXPECT_TRUE(random_order(0, 42).empty());
  const auto order = random_order(1000, 7);
  EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 1000U);
}

TEST(Folds, TheLastTakesTheRest) {
  const auto names = folds(10, 3, 42);
  EXPECT_EQ(std::count(names.begin(), names.end(), "fold 1"), 3);
  EXPECT_EQ(std::count(names.begin(), names.end(), "fold 2"), 3);
  EXPECT_EQ(std::count(names.begin(), names.end(), "fold 3"), 4);
  for (const std::size_t row : {8, 1, 5}) EXPECT_EQ(names[row], "fold 1") << "the first of the order";
}

TEST(Folds, MoreThanRowsOrFewerThanTwoAreRefused) {
  EXPECT_THROW(folds(2, 3, 42), base::Error);
  EXPECT_THROW(folds(2, 1, 42), base::Error);
}

}  // namespace
}  // namespace quasar::evaluation
