#include "scoring/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "evaluation/correlation.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace quasar::scoring {
namespace {

TEST(Score, MatchesTheClosedForm) {
  const std::vector<float> good = {1, 0};
  const std::vector<float> bad = {0, 1};
  const AnchorPairs anchors{good, bad, 2};
  const std::vector<float> x = {3, 4};
  EXPECT_NEAR(score_row(x, anchors), 1.0 / (1.0 + std::exp((0.8 - 0.6) / 0.07)), 1e-15);
  const std::vector<float> scaled = {300, 400};
  EXPECT_DOUBLE_EQ(score_row(scaled, anchors), score_row(x, anchors));
}

TEST(Score, IsTheMeanOverPairs) {
  const std::vector<float> good = {1, 0, 0, 1};
  const std::vector<float> bad = {0, 1, 1, 0};
  const std::vector<float> x = {3, 4};
  EXPECT_NEAR(score_row(x, {good, bad, 2}), 0.5, 1e-15);
}

TEST(Score, UnusableRowsScoreNaN) {
  const std::vector<float> good = {1, 0};
  const std::vector<float> bad = {0, 1};
  for (const float v :
       {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(std::isnan(score_row(std::vector<float>{v, 0}, {good, bad, 2})));
  }
}

TEST(Score, ShapesMustAgree) {
  const std::vector<float> good = {1, 0};
  const std::vector<float> bad = {0, 1, 0};
  const std::vector<float> rows(6);
  std::vector<float> scores(2);
  EXPECT_THROW(score_rows(rows, {good, bad, 2}, scores), base::Error);
  EXPECT_THROW(score_rows(rows, {good, good, 2}, scores), base::Error);
}

/// Scores of the reference implementation, and the SRCC with the labels that it reports.
TEST(Score, ReproducesEveryGoldenCase) {
  const auto folder = test::test_file("golden/aggregation");
  const test::SafetensorsReader io(folder / "io.safetensors");
  const auto cases = nlohmann::json::parse(std::ifstream(folder / "case.json"));
  const auto rows = io.values<float>("target_aadb_embeddings");
  const auto labels = io.values<double>("target_labels");
  int checked = 0;
  for (const auto& golden : cases.at("cases")) {
    const std::string tag = golden.at("tag");
    if (!io.has(tag + ".anchors") || !io.has(tag + ".scores")) continue;
    const auto anchors = io.values<float>(tag + ".anchors");
    const auto expected = io.values<double>(tag + ".scores");
    const std::size_t d = anchors.size() / 2;
    std::vector<float> scores(rows.size() / d);
    ASSERT_EQ(scores.size(), expected.size()) << tag;
    score_rows(rows, {std::span(anchors).first(d), std::span(anchors).last(d), d}, scores);
    for (std::size_t i = 0; i < scores.size(); ++i)
      ASSERT_NEAR(scores[i], expected[i], 1e-6) << tag << " row " << i;
    std::vector<double> exact(scores.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
      exact[i] = score_row(std::span(rows).subspan(i * d, d),
                           {std::span(anchors).first(d), std::span(anchors).last(d), d});
    }
    EXPECT_NEAR(evaluation::spearman(exact, labels), golden.at("srcc_signed").get<double>(), 1e-9) << tag;
    ++checked;
  }
  EXPECT_EQ(checked, 12);
}

TEST(Score, ReproducesTheGoldenCrossValidation) {
  const auto folder = test::test_file("golden/aggregation");
  const test::SafetensorsReader io(folder / "io.safetensors");
  const auto rows = io.values<float>("target_aadb_embeddings");
  const auto labels = io.values<double>("target_labels");
  const auto anchors = io.values<float>("nr_mean_cv5.anchors");
  const auto permutation = io.values<std::int64_t>("nr_mean_cv5.fold_permutation");
  const auto cases = nlohmann::json::parse(std::ifstream(folder / "case.json"));
  for (const auto& golden : cases.at("cases")) {
    if (golden.at("tag") != "nr_mean_cv5") continue;
    const auto srcc = golden.at("srcc").get<std::vector<double>>();
    ASSERT_EQ(srcc.size(), 5U);
    const std::size_t d = anchors.size() / 2;
    const std::size_t fold = permutation.size() / srcc.size();
    for (std::size_t f = 0; f < srcc.size(); ++f) {
      const std::size_t end = f + 1 == srcc.size() ? permutation.size() : (f + 1) * fold;
      std::vector<double> scores;
      std::vector<double> fold_labels;
      for (std::size_t i = f * fold; i < end; ++i) {
        const auto row = static_cast<std::size_t>(permutation[i]);
        scores.push_back(score_row(std::span(rows).subspan(row * d, d),
                                   {std::span(anchors).first(d), std::span(anchors).last(d), d}));
        fold_labels.push_back(labels[row]);
      }
      EXPECT_NEAR(evaluation::spearman(scores, fold_labels), srcc[f], 1e-9) << "fold " << f;
    }
    return;
  }
  FAIL() << "the golden data has no cross-validation case";
}

}  // namespace
}  // namespace quasar::scoring
