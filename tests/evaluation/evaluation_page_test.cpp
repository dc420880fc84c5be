#include "evaluation/evaluation_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::evaluation {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Ratings that rise with the score, but for the eighth.
RatedPictures sample(int n) {
  RatedPictures pictures;
  pictures.scorers = {"<b>quality</b>"};
  pictures.scores.resize(1);
  for (int i = 0; i < n; ++i) {
    pictures.scores[0].push_back(0.1 * i);
    pictures.labels.push_back(i == 7 ? 40 : i);
  }
  return pictures;
}

TEST(EvaluationPage, ShowsFiguresGroupsAndWhatWasLeftOut) {
  auto pictures = sample(40);
  pictures.left_out["picture is missing"] = 3;
  pictures.noted["pictures whose bytes are those of an earlier row"] = 2;
  pictures.remarks = {"MOS from 0 to 100"};
  for (int i = 0; i < 40; ++i) pictures.groups.push_back(i % 2 == 0 ? "even" : "odd");
  const auto evaluation = evaluate(pictures, {.resamples = 10});
  const auto worst = worst_disagreements(pictures, evaluation, 0, 3);
  ASSERT_EQ(worst.size(), 3U);
  EXPECT_EQ(worst.front().row, 7U);
  EXPECT_DOUBLE_EQ(worst.front().label, 40);
  plot::Thumbnail picture;
  picture.name = "picture <7>";
  picture.missing = "there is no such file";
  const auto page = evaluation_page(pictures, evaluation, {{picture}});
  EXPECT_THAT(page,
              AllOf(HasSubstr("40 of 43 rows"), HasSubstr("picture is missing"), HasSubstr("an earlier row"),
                    HasSubstr("MOS from 0 to 100"), HasSubstr("residuals"), HasSubstr("SRCC by group")));
  EXPECT_THAT(page, AllOf(HasSubstr("picture &lt;7&gt;"), HasSubstr("there is no such file"),
                          Not(HasSubstr("<b>quality")), Not(HasSubstr("nan"))));
}

TEST(EvaluationPage, WhatIsUndefinedIsSaidAndNeverNan) {
  for (const int n : {1, 2, 3, 6}) {
    auto pictures = sample(n);
    pictures.scores[0].assign(pictures.scores[0].size(), 0.5);
    const auto evaluation = evaluate(pictures, {});
    const auto page = evaluation_page(pictures, evaluation, {});
    EXPECT_THAT(page, AllOf(HasSubstr("srcc is undefined"), Not(HasSubstr("nan")))) << n;
  }
}

}  // namespace
}  // namespace quasar::evaluation
