#include "evaluation/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "base/random.h"
#include "evaluation/evaluation_text.h"

namespace quasar::evaluation {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Ratings with two scorers: one follows them, the other is noise. Two groups.
RatedPictures sample(std::size_t n) {
  base::Random random(5);
  RatedPictures pictures;
  pictures.scorers = {"good", "noise"};
  pictures.scores.resize(2);
  for (std::size_t i = 0; i < n; ++i) {
    const double quality = random.uniform();
    pictures.labels.push_back(1 + 4 * quality);
    pictures.scores[0].push_back(quality + 0.05 * random.normal());
    pictures.scores[1].push_back(random.normal());
    pictures.groups.push_back(i % 3 == 0 ? "a" : "b");
    pictures.deviations.push_back(0.5);
    pictures.observers.push_back(20);
  }
  return pictures;
}

TEST(Evaluate, TellsAGoodScorerFromNoiseInEveryMeasure) {
  const auto evaluation = evaluate(sample(300), {});
  const auto& good = evaluation.scorers[0].all;
  const auto& noise = evaluation.scorers[1].all;
  EXPECT_GT(good.srcc, 0.95);
  EXPECT_GT(good.logistic4.plcc, 0.95);
  EXPECT_LT(std::abs(noise.srcc), 0.2);
  EXPECT_LT(good.logistic4.rmse, noise.logistic4.rmse);
  EXPECT_LT(good.outlier_ratio, noise.outlier_ratio);
  ASSERT_EQ(evaluation.comparisons.size(), 1U);
  const auto& comparison = evaluation.comparisons[0];
  ASSERT_TRUE(comparison.srcc_williams && comparison.residuals && comparison.pairs);
  EXPECT_LT(comparison.srcc_williams->p, 1e-6);
  EXPECT_LT(comparison.residuals->p, 1e-6);
  EXPECT_GT(comparison.pairs->first.auc_better, comparison.pairs->second.auc_better);
  ASSERT_TRUE(good.resampled && good.srcc_interval);
  EXPECT_LT(good.resampled->srcc.low, good.srcc);
  EXPECT_GT(good.resampled->srcc.high, good.srcc);
}

TEST(Evaluate, SignsAreShownAndAFitHidesThem) {
  auto pictures = sample(200);
  for (double& score : pictures.scores[0]) score = -score;
  const auto evaluation = evaluate(pictures, {});
  EXPECT_LT(evaluation.scorers[0].all.srcc, -0.9);
  EXPECT_LT(evaluation.scorers[0].all.plcc, -0.9);
  EXPECT_GT(evaluation.scorers[0].all.logistic4.plcc, 0.9);
}

TEST(Evaluate, GroupsAreMeasuredAloneAndAveraged) {
  auto pictures = sample(300);
  pictures.groups[0] = "of one";
  const auto evaluation = evaluate(pictures, {});
  const auto& scorer = evaluation.scorers[0];
  ASSERT_EQ(scorer.groups.size(), 3U);
  EXPECT_EQ(scorer.groups_used, 2U) << "a group of one row has no correlation";
  EXPECT_NEAR(scorer.group_srcc, (scorer.groups.at("a").srcc + scorer.groups.at("b").srcc) / 2, 1e-12);
  EXPECT_EQ(scorer.groups.at("of one").undefined.count("srcc"), 1U);
}

TEST(Evaluate, RowsThatLackSomethingAreCountedByWhat) {
  auto pictures = sample(100);
  pictures.left_out["label is no number"] = 2;
  pictures.labels[3] = kNan;
  pictures.labels[4] = std::numeric_limits<double>::infinity();
  pictures.scores[1][5] = kNan;
  const auto evaluation = evaluate(pictures, {});
  EXPECT_EQ(evaluation.rows, 102U);
  EXPECT_EQ(evaluation.scorers[0].all.n, 97U) << "all scorers on the same pictures";
  EXPECT_EQ(evaluation.left_out.at("label missing or not finite"), 2U);
  EXPECT_EQ(evaluation.left_out.at("score missing or not finite: noise"), 1U);
  EXPECT_EQ(evaluation.left_out.at("label is no number"), 2U);
}

TEST(Evaluate, WithoutARowThereIsNoResult) {
  auto pictures = sample(2);
  pictures.labels = {kNan, kNan};
  try {
    evaluate(pictures, {});
    ADD_FAILURE() << "evaluated nothing";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kNoResult);
    EXPECT_THAT(error.what(), HasSubstr("2 label missing"));
  }
}

TEST(Evaluate, WhatIsUndefinedIsNullWithItsReason) {
  auto pictures = sample(8);
  pictures.scorers = {"constant"};
  pictures.scores = {std::vector<double>(8, 0.5)};
  const auto written = json::parse(evaluation_json(evaluate(pictures, {})));
  for (const auto* measure : {"srcc", "krcc", "plcc", "plcc_logistic4", "rmse_logistic5"}) {
    EXPECT_TRUE(written.at(measure).is_null()) << measure;
    EXPECT_FALSE(written.at("undefined").at(measure).get<std::string>().empty()) << measure;
  }
  EXPECT_EQ(written.at("n"), 8);
  EXPECT_THAT(written.at("undefined").at("srcc").get<std::string>(), HasSubstr("scores are equal"));
}

TEST(Evaluate, ResamplesOfEqualScoresAreNotUsed) {
  // Some draws of so few rows with two scores have one score alone, whose mean need not be that score in
  // binary.
  RatedPictures pictures;
  pictures.scorers = {"two values"};
  pictures.scores = {{0.1, 0.7, 0.7, 0.1, 0.1, 0.7, 0.7}};
  pictures.labels = {0.3, -1.2, 0.8, 0.05, 1.7, -0.4, 0.6};
  const auto& drawn = evaluate(pictures, {}).scorers[0].all.resampled;
  ASSERT_TRUE(drawn);
  // (4^7 + 3^7) / 7^7 = 2.3% of the draws.
  EXPECT_NEAR(static_cast<double>(drawn->resamples), 977, 20);
  EXPECT_TRUE(std::isfinite(drawn->srcc_error));
  EXPECT_TRUE(std::isfinite(drawn->plcc_error));
  EXPECT_LE(drawn->srcc.high, 1);
}

TEST(Evaluate, WhatAComparisonLacksIsNamed) {
  auto pictures = sample(40);
  pictures.scores[1] = pictures.scores[0];
  pictures.observers[3] = 0;
  pictures.deviations[4] = -1;
  const auto evaluation = evaluate(pictures, {.resamples = 0});
  const auto written = json::parse(evaluation_json(evaluation));
  const auto& comparison = written.at("comparisons").at(0);
  EXPECT_TRUE(comparison.at("srcc").at("williams").is_null());
  EXPECT_EQ(comparison.at("undefined").at("srcc"), "the two scorers agree in full");
  EXPECT_TRUE(comparison.at("pairs").is_null());
  EXPECT_THAT(comparison.at("undefined").at("pairs").get<std::string>(), HasSubstr("2 of 40 ratings"));
  EXPECT_EQ(written.at("undefined").at("bootstrap"), "no resamples were asked for");
  EXPECT_EQ(written.at("noted").at("deviations below 0, which are not used"), 1);
  EXPECT_THAT(evaluation_text(evaluation), HasSubstr("srcc is undefined: the two scorers agree in full"));
}

TEST(Evaluate, JsonHoldsWhatWasMeasured) {
  const auto evaluation = evaluate(sample(120), {});
  const auto written = json::parse(evaluation_json(evaluation));
  EXPECT_EQ(written.at("srcc").get<double>(), evaluation.scorers[0].all.srcc);
  EXPECT_EQ(written.at("scorers").at("noise").at("krcc").get<double>(), evaluation.scorers[1].all.krcc);
  EXPECT_EQ(written.at("groups").at("a").at("n"), 40);
  EXPECT_EQ(written.at("comparisons").size(), 1U);
  EXPECT_TRUE(written.at("comparisons")[0].at("pairs").is_object());
}

TEST(Evaluate, CsvHasALineForEachScorerAndGroupAndTextNamesWhatIsLeftOut) {
  auto pictures = sample(60);
  pictures.scorers[0] = "a,b";
  pictures.labels[0] = kNan;
  const auto evaluation = evaluate(pictures, {});
  const auto csv = evaluation_csv(evaluation);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 7);
  EXPECT_THAT(csv, HasSubstr("\n\"a,b\",,59,"));
  EXPECT_THAT(evaluation_text(evaluation), HasSubstr("left out: 1 label missing"));
}

TEST(Evaluate, TheSameSeedGivesTheSameIntervals) {
  const auto pictures = sample(100);
  const auto first = evaluate(pictures, {.resamples = 200, .seed = 3});
  const auto second = evaluate(pictures, {.resamples = 200, .seed = 3});
  const auto other = evaluate(pictures, {.resamples = 200, .seed = 4});
  EXPECT_EQ(evaluation_json(first), evaluation_json(second));
  EXPECT_NE(evaluation_json(first), evaluation_json(other));
}

}  // namespace
}  // namespace quasar::evaluation
