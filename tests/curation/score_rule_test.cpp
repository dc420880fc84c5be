#include "curation/score_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/errors.h"

namespace quasar::curation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Scores = std::vector<float>;

std::string error_of(const std::vector<std::string>& columns, const CurationConfig& config = {}) {
  try {
    const ScoreRule rule(columns, config);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

TEST(ScoreRule, CombinesWithEqualWeightsUnlessTold) {
  CurationConfig config;
  const ScoreRule equal({"a", "b"}, config);
  EXPECT_THAT(equal.names(), ElementsAre("a", "b", "combined"));
  EXPECT_EQ(equal.combined(Scores{0.25F, 0.75F}), 0.5F);
  config.weights = {{"a", 1.0}, {"b", 3.0}};
  EXPECT_EQ(ScoreRule({"a", "b"}, config).combined(Scores{0.0F, 1.0F}), 0.75F);
  config.weights = {{"b", 2.0}};
  EXPECT_EQ(ScoreRule({"a", "b"}, config).combined(Scores{0.0F, 0.3F}), 0.3F);
}

TEST(ScoreRule, HasNoCombinedColumnForOneAnchorSet) {
  const ScoreRule rule({"a"}, {});
  EXPECT_FALSE(rule.has_combined());
  EXPECT_EQ(rule.ranking_score(Scores{0.3F}), 0.3F);
}

TEST(ScoreRule, RanksByTheColumnAskedFor) {
  CurationConfig config;
  config.rank_by = "b";
  EXPECT_EQ(ScoreRule({"a", "b"}, config).ranking_score(Scores{0.1F, 0.9F}), 0.9F);
}

TEST(ScoreRule, AppliesFloorsInOrderOfColumns) {
  CurationConfig config;
  config.minimum = {{"b", 0.5}, {"combined", 0.4}};
  const ScoreRule rule({"a", "b"}, config);
  EXPECT_EQ(rule.first_below_minimum(Scores{0.9F, 0.4F}), 1U);
  EXPECT_EQ(rule.first_below_minimum(Scores{0.1F, 0.6F}), 2U);
  EXPECT_FALSE(rule.first_below_minimum(Scores{0.9F, 0.5F}));
}

TEST(ScoreRule, TakesStandardErrorsOffBeforeItCompares) {
  CurationConfig config;
  config.measures = {"a_error"};
  config.minimum = {{"a", 0.6}};
  config.minimum_errors = {{"a", 2}};
  const ScoreRule rule({"a", "a_error"}, config);
  EXPECT_FALSE(rule.has_combined());
  EXPECT_EQ(rule.ranking_score(Scores{0.75F, 0.5F}), 0.75F);
  EXPECT_FALSE(rule.first_below_minimum(Scores{0.75F, 0.05F}));
  EXPECT_EQ(rule.first_below_minimum(Scores{0.65F, 0.05F}), 0U);
  config.measures = {};
  EXPECT_THROW(ScoreRule({"a"}, config), base::Error);
}

TEST(ScoreRule, MeasuresHaveNoPartInTheCombinedScore) {
  CurationConfig config;
  config.measures = {"a_error", "out_of_distribution"};
  config.drop_out_of_distribution = true;
  const ScoreRule rule({"a", "b", "a_error", "out_of_distribution"}, config);
  EXPECT_EQ(rule.combined(Scores{0.25F, 0.75F, 9.0F, 0.0F}), 0.5F);
  EXPECT_EQ(rule.ranking_score(Scores{0.25F, 0.75F, 9.0F, 0.0F}), 0.5F);
  EXPECT_FALSE(rule.first_below_minimum(Scores{0.25F, 0.75F, 9.0F, 0.0F}));
  EXPECT_EQ(rule.first_below_minimum(Scores{0.25F, 0.75F, 9.0F, 1.0F}), 3U);
}

TEST(ScoreRule, RefusesNamesThatCannotBe) {
  EXPECT_THAT(error_of({}), HasSubstr("no anchor set"));
  EXPECT_THAT(error_of({"rank"}), HasSubstr("'rank'"));
  EXPECT_THAT(error_of({""}), HasSubstr("cannot be named"));
  EXPECT_THAT(error_of({"a\nb"}), HasSubstr("line break"));
  EXPECT_THAT(error_of({"a", "b", "a"}), HasSubstr("two anchor sets"));
  CurationConfig config;
  config.rank_by = "c";
  EXPECT_THAT(error_of({"a", "b"}, config), HasSubstr("there are a, b, and combined"));
  config = {};
  config.weights = {{"c", 1.0}};
  EXPECT_THAT(error_of({"a", "b"}, config), HasSubstr("curation.weights"));
  config.weights = {{"combined", 1.0}};
  EXPECT_THAT(error_of({"a", "b"}, config), HasSubstr("curation.weights"));
  config = {};
  config.minimum = {{"c", 1.0}};
  EXPECT_THAT(error_of({"a", "b"}, config), HasSubstr("curation.minimum"));
}

TEST(ScoreRule, CountsARowAsScoredOnlyWhenEveryScoreIsFinite) {
  EXPECT_TRUE(ScoreRule::is_scored(Scores{0.1F, 0.2F}));
  EXPECT_FALSE(ScoreRule::is_scored(Scores{0.1F, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_FALSE(ScoreRule::is_scored(Scores{std::numeric_limits<float>::infinity()}));
}

}  // namespace
}  // namespace quasar::curation
