#include "evaluation/agreement_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

using namespace quasar::evaluation;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Two photos; the scorer "falling" follows the human scores, "constant" says nothing.
AgreementReport report_of(std::vector<int> unseen) {
  std::vector<double> human;
  std::vector<DistortedScore> falling;
  std::vector<DistortedScore> constant;
  AgreementReport report;
  for (int kind = 1; kind <= kDistortionKinds; ++kind) {
    report.kinds.push_back("kind" + std::to_string(kind));
    for (int level = 1; level <= kDistortionLevels; ++level) {
      human.push_back(5.0 - level + 0.01 * kind);
      for (int photo = 0; photo < 2; ++photo) {
        falling.push_back({photo, kind, level, human.back()});
        constant.push_back({photo, kind, level, 1});
      }
    }
  }
  report.unseen = std::move(unseen);
  report.photos = 2;
  report.copies = falling.size();
  report.left_out["photo or copy is missing"] = 1;
  const std::vector<double> pristine = {9, 9};
  report.scorers.push_back({"falling", "what people say", distortion_agreement(falling, pristine, human)});
  report.scorers.push_back({"constant", "one", distortion_agreement(constant, pristine, human)});
  return report;
}

TEST(AgreementText, HasEveryScorerInALineAndNamesWhatIsUndefined) {
  const auto text = agreement_text(report_of({3, 5}));
  EXPECT_THAT(text, AllOf(HasSubstr("2 photos and 250 copies, scored by falling"),
                          HasSubstr("left out with their copies: 1 photo or copy is missing"),
                          HasSubstr("mean over 23 kinds seen     1.000  1.000"),
                          HasSubstr("mean over 2 kinds unseen    1.000  1.000")));
  EXPECT_THAT(text, HasSubstr("constant        -    0.000        -    0.000        -    1.000\n"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  auto constant = report_of({});
  constant.scorers.erase(constant.scorers.begin());
  const auto alone = agreement_text(constant);
  EXPECT_THAT(alone, AllOf(HasSubstr("mean over 25 kinds"), HasSubstr("all scores of a kind are equal"),
                           Not(HasSubstr("nan")), Not(HasSubstr("a photo"))));
}

TEST(AgreementText, AsJsonHasNullWithAReasonWhereUndefined) {
  const auto found = json::parse(agreement_json(report_of({3})));
  EXPECT_EQ(found.at("unseen"), json({"kind3"}));
  EXPECT_EQ(found.at("left_out").at("photo or copy is missing"), 1);
  const auto& falling = found.at("scorers").at("falling");
  EXPECT_EQ(falling.at("mean_over_seen").at("kinds"), 24);
  EXPECT_DOUBLE_EQ(falling.at("mean_over_all").at("srcc_over_photos").get<double>(), 1);
  EXPECT_TRUE(falling.at("undefined").empty());
  const auto& constant = found.at("scorers").at("constant");
  EXPECT_TRUE(constant.at("cell_srcc").is_null());
  EXPECT_TRUE(constant.at("kinds").at("kind7").at("srcc_over_photos").is_null());
  EXPECT_TRUE(constant.at("undefined").contains("kind7"));
  EXPECT_TRUE(constant.at("undefined").contains("cell_srcc"));
}

TEST(AgreementText, AsCsvHasALineForEachMeanAndKind) {
  const auto text = agreement_csv(report_of({3}));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 2 * (3 + 25));
  EXPECT_THAT(text, AllOf(HasSubstr("\nfalling,all,25,1,1,1,1\n"), HasSubstr("\nfalling,unseen,1,1,1,,\n"),
                          HasSubstr("\nconstant,kind9,1,,0,,\n")));
}

}  // namespace
