#include "evaluation/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/errors.h"

namespace quasar::evaluation {
namespace {

/// Human scores that fall with the level and differ by kind.
std::vector<double> human_table() {
  std::vector<double> table;
  for (int kind = 1; kind <= kDistortionKinds; ++kind) {
    for (int level = 1; level <= kDistortionLevels; ++level) table.push_back(6.0 - level - 0.001 * kind);
  }
  return table;
}

/// Three photos under every distortion, scored by a function of kind and level.
template <typename Score>
std::vector<DistortedScore> score_all(Score score) {
  std::vector<DistortedScore> items;
  for (int photo = 0; photo < 3; ++photo) {
    for (int kind = 1; kind <= kDistortionKinds; ++kind) {
      for (int level = 1; level <= kDistortionLevels; ++level) {
        items.push_back({photo, kind, level, score(photo, kind, level)});
      }
    }
  }
  return items;
}

TEST(DistortionAgreement, IsWholeForAScorerThatSeesAsPeopleDo) {
  const auto human = human_table();
  const auto items = score_all(
      [&](int, int kind, int level) { return human[static_cast<std::size_t>((kind - 1) * 5 + level - 1)]; });
  const std::vector<double> pristine(3, 10.0);
  const auto agreement = distortion_agreement(items, pristine, human);
  const std::vector<int> kinds = {1, 7, 25};
  EXPECT_NEAR(agreement.mean_within_kind(kinds), 1.0, 1e-12);
  EXPECT_NEAR(agreement.cell_srcc, 1.0, 1e-12);
  EXPECT_EQ(agreement.pairs_pristine_above, 1.0);
}

TEST(DistortionAgreement, TellsKindsApartAndCountsPairsStrictly) {
  // Kind 1 upside down; photo 2 as good as its distorted copies of kind 3.
  const auto items =
      score_all([](int, int kind, int level) { return kind == 1 ? 0.1 * level : 1.0 - 0.1 * level; });
  std::vector<double> pristine = {2.0, 2.0, 0.9};
  const auto agreement = distortion_agreement(items, pristine, human_table());
  EXPECT_NEAR(agreement.within_kind[1], -1.0, 1e-12);
  EXPECT_NEAR(agreement.within_kind[2], 1.0, 1e-12);
  EXPECT_TRUE(std::isnan(agreement.within_kind[0]));
  const std::vector<int> kinds = {1, 2};
  EXPECT_NEAR(agreement.mean_within_kind(kinds), 0.0, 1e-12);
  // Photo 2 scores 0.9, which level 1 of the 24 other kinds reaches: equal is not above.
  EXPECT_NEAR(agreement.pairs_pristine_above, 1.0 - 24.0 / 375.0, 1e-12);
}

TEST(DistortionAgreement, WithinAPhotoOnlyItsOwnOrderCounts) {
  // Each photo's levels in order, but the second photo's scores all above the first's; a third has no order.
  const std::vector<DistortedScore> items = {{0, 4, 1, 2.0}, {0, 4, 2, 1.0}, {1, 4, 1, 9.0},
                                             {1, 4, 2, 8.0}, {2, 4, 1, 5.0}, {2, 4, 2, 5.0}};
  const std::vector<double> pristine(3, 10.0);
  const auto agreement = distortion_agreement(items, pristine, human_table());
  EXPECT_NEAR(agreement.within_photo[4], 2.0 / 3.0, 1e-12);
  EXPECT_LT(agreement.within_kind[4], 0.5);
  EXPECT_TRUE(std::isnan(agreement.within_photo[5]));
  const std::vector<int> kinds = {4};
  EXPECT_NEAR(agreement.mean_within_photo(kinds), 2.0 / 3.0, 1e-12);
}

TEST(DistortionAgreement, ACopyThatIsThePhotoIsInNoPair) {
  std::vector<DistortedScore> items = {{0, 18, 1, 1.0}, {0, 18, 3, 5.0, true}, {1, 18, 1, 6.0}};
  const std::vector<double> pristine = {5.0, 5.0};
  EXPECT_NEAR(distortion_agreement(items, pristine, human_table()).pairs_pristine_above, 0.5, 1e-12);
  items = {{0, 18, 3, 5.0, true}};
  EXPECT_TRUE(std::isnan(distortion_agreement(items, pristine, human_table()).pairs_pristine_above));
}

TEST(DistortionAgreement, WithinKindIsSpearmanWithTiesOverPhotos) {
  // Two photos, one kind, two levels: scores 1, 3 against 2, 4 with opinions high, low. Ranks of scores
  // (4, 2, 3, 1), of opinions (3.5, 1.5, 3.5, 1.5): Pearson of these is 4 / sqrt(5 * 4).
  const std::vector<DistortedScore> items = {{0, 4, 1, 4.0}, {0, 4, 2, 2.0}, {1, 4, 1, 3.0}, {1, 4, 2, 1.0}};
  const std::vector<double> pristine = {5.0, 5.0};
  const auto agreement = distortion_agreement(items, pristine, human_table());
  EXPECT_NEAR(agreement.within_kind[4], 4.0 / std::sqrt(20.0), 1e-12);
  EXPECT_TRUE(std::isnan(agreement.within_kind[5]));
  const std::vector<int> absent = {4, 5};
  EXPECT_TRUE(std::isnan(agreement.mean_within_kind(absent)));
  EXPECT_TRUE(std::isnan(agreement.mean_within_kind({})));
}

TEST(DistortionAgreement, DoesNotDependOnTheOrderOfImages) {
  auto items =
      score_all([](int photo, int kind, int level) { return std::sin(photo * 31 + kind * 7 + level); });
  const std::vector<double> pristine = {0.1, 0.2, 0.3};
  const auto one = distortion_agreement(items, pristine, human_table());
  std::reverse(items.begin(), items.end());
  const auto other = distortion_agreement(items, pristine, human_table());
  EXPECT_NEAR(one.cell_srcc, other.cell_srcc, 1e-12);
  for (std::size_t kind = 1; kind < one.within_kind.size(); ++kind) {
    EXPECT_NEAR(one.within_kind[kind], other.within_kind[kind], 1e-12);
  }
}

TEST(DistortionAgreement, RefusesWhatIsOutOfRange) {
  const std::vector<double> pristine = {1.0};
  const auto human = human_table();
  const auto code_of = [&](const DistortedScore& item, const std::vector<double>& table) {
    try {
      distortion_agreement(std::span(&item, 1), pristine, table);
    } catch (const base::Error& error) {
      return error.code();
    }
    return base::ExitCode::kOk;
  };
  EXPECT_EQ(code_of({0, 1, 1, 0.5}, human), base::ExitCode::kOk);
  EXPECT_EQ(code_of({1, 1, 1, 0.5}, human), base::ExitCode::kMismatch);
  EXPECT_EQ(code_of({-1, 1, 1, 0.5}, human), base::ExitCode::kMismatch);
  EXPECT_EQ(code_of({0, 0, 1, 0.5}, human), base::ExitCode::kMismatch);
  EXPECT_EQ(code_of({0, 26, 1, 0.5}, human), base::ExitCode::kMismatch);
  EXPECT_EQ(code_of({0, 1, 6, 0.5}, human), base::ExitCode::kMismatch);
  EXPECT_EQ(code_of({0, 1, 1, std::nan("")}, human), base::ExitCode::kInput);
  EXPECT_EQ(code_of({0, 1, 1, 0.5}, {1.0, 2.0}), base::ExitCode::kMismatch);
  const std::vector<double> broken = {std::numeric_limits<double>::infinity()};
  EXPECT_THROW(distortion_agreement({}, broken, human), base::Error);
}

}  // namespace
}  // namespace quasar::evaluation
