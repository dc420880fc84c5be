// A study as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class StudyTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(render_scenes(scratch_ / "good", {"--count", "6", "--width", "96", "--height", "96"}).status,
              0);
    ASSERT_EQ(render_scenes(scratch_ / "unseen",
                            {"--count", "3", "--width", "96", "--height", "96", "--seed", "1000"})
                  .status,
              0);
  }

  /// A grid of two kinds of anchors and two aggregations.
  std::string config(const std::string& more = "") const {
    auto path = (scratch_ / "study.yaml").string();
    const auto good =
        "corpus: {directory: " + (scratch_ / "good").string() + "}, recipe: {kind: full_reference}";
    write_text(path,
               "study: " + folder().string() + "\ncorpus: {directory: " + (scratch_ / "unseen").string() +
                   "}\nrated_copies: {levels: [1, 5], kinds: [gaussian_blur, jpeg, white_noise]}\n" +
                   "draws: 2\nprojections: true\nsheet: 2\naxes:\n  anchors:\n    blur: {anchors: {" + good +
                   ", distortions: {kinds: [gaussian_blur], levels: [4]}}}\n    noise: {anchors: {" + good +
                   ", distortions: {kinds: [white_noise], levels: [4]}}}\n  aggregation:\n    mean: {}\n" +
                   "    multi: {anchors.recipe: {aggregation: multi, k: 2}}\n" +
                   "table: {rows: anchors, columns: aggregation}\n" + more);
    return path;
  }
  fs::path folder() const { return scratch_ / "study"; }
  /// Lines of study.csv without the times, which end them.
  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    std::istringstream text(content(folder() / "study.csv"));
    for (std::string line; std::getline(text, line);) {
      for (int i = 0; i < 2; ++i) line.erase(line.rfind(','));
      result.push_back(line);
    }
    return result;
  }

  ScratchFolder scratch_;
};

TEST_F(StudyTest, WritesTablesFiguresAndAPage) {
  const auto outcome = run_quasar({"study", config()});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("the study has 4 cells"));
  const auto rows = lines();
  // The mean of all anchors has one draw, k-means two.
  ASSERT_EQ(rows.size(), 1U + 2 * 1 + 2 * 2);
  EXPECT_THAT(rows[1], HasSubstr("blur,mean,0,21,"));
  EXPECT_THAT(content(folder() / "table.md"), HasSubstr("| anchors | mean | multi |"));
  EXPECT_THAT(content(folder() / "table.tex"), HasSubstr("\\begin{tabular}{lrr}"));
  const auto page = content(folder() / "study.html");
  EXPECT_THAT(page, HasSubstr("SRCC by aggregation"));
  EXPECT_THAT(page, HasSubstr("Lowest"));
  EXPECT_THAT(content(folder() / "separation.csv"), HasSubstr("\"blur, mean\",6,6,"));
  EXPECT_TRUE(fs::exists(folder() / "figures/anchors-blur-mean-pca.svg"));
}

TEST_F(StudyTest, GoesOnWithTheCellsThatAreMissing) {
  ASSERT_EQ(run_quasar({"study", config()}).status, 0);
  const auto before = lines();
  const auto cells = folder() / "cells";
  const auto times = [&] {
    std::vector<fs::file_time_type> all;
    for (const auto& entry : fs::directory_iterator(cells)) all.push_back(entry.last_write_time());
    std::sort(all.begin(), all.end());
    return all;
  };
  const auto first = times();
  ASSERT_EQ(first.size(), 6U);
  fs::remove(*fs::directory_iterator(cells));
  const auto again = run_quasar({"study", config()});
  ASSERT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("5 cells of 6 were computed before"));
  EXPECT_EQ(lines(), before);
  std::size_t kept = 0;
  for (const auto& time : times()) kept += std::find(first.begin(), first.end(), time) != first.end() ? 1 : 0;
  EXPECT_EQ(kept, 5U);
}

TEST_F(StudyTest, AnyNumberOfRanksGivesTheSameCells) {
  ASSERT_EQ(run_quasar({"study", config()}).status, 0);
  const auto alone = lines();
  fs::remove_all(folder());
  const auto outcome = run_quasar({"study", config()}, 3);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(lines(), alone);
}

TEST_F(StudyTest, WhatIsWrongIsSaidBeforeAnythingIsWritten) {
  const auto refused = [&](const std::vector<std::string>& more, int status, const std::string& message) {
    std::vector<std::string> arguments = {"study", config()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = run_quasar(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder()));
  };
  refused({"--set", "axes.aggregation.multi={anchor.recipe.k: 2}"}, 3, "did you mean \"anchors\"?");
  refused({"--set", "axes.aggregation.multi={anchors.recipe.kk: 2}"}, 3, "aggregation=multi");
  refused({"--set", "exclude=[{anchors: colour}]"}, 3, "no level \"colour\"");
  refused({"--set", "table.rows=encoder"}, 3, "no axis \"encoder\"");
  refused({"--set", "drawz=2"}, 3, "drawz");
  refused({"--set", "axes.anchors.blur={anchors: {file: none.h5}}"}, 4, "none.h5");
  refused({"--set", "rated_copies=null"}, 4, "0 pictures with a label");
}

TEST_F(StudyTest, ThePlanTellsTheCostAndWritesNothing) {
  const auto outcome = run_quasar({"study", config(), "--plan"});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("the study has 4 cells"));
  EXPECT_THAT(outcome.output, HasSubstr("45 pictures to embed"));
  EXPECT_FALSE(fs::exists(folder()));
}

}  // namespace
