#include "curation/duplicate_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/errors.h"

namespace quasar::curation {
namespace {

using testing::AllOf;
using testing::HasSubstr;

DuplicateRule parse(const std::string& text, bool made_by_mini = false) {
  const auto root = base::ConfigNode::parse_text("duplicates: " + text + "\n", "test.yaml");
  auto rule = duplicate_rule_from_yaml(root.child("duplicates"));
  check_embeddings(root.child("duplicates"), rule, made_by_mini);
  root.finish();
  return rule;
}

std::string error_of(const std::string& text, bool made_by_mini = false) {
  try {
    parse(text, made_by_mini);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

TEST(DuplicateRule, SetsOfTheSameNameAreToldApart) {
  DuplicateRule rule;
  rule.against = {"tests/kodak.pdq", "a/val.pdq", "b/val.pdq", "runs/coco/"};
  EXPECT_EQ(rule.set_name(0), "kodak.pdq");
  EXPECT_EQ(rule.set_name(1), "a/val.pdq");
  EXPECT_EQ(rule.set_name(2), "b/val.pdq");
  EXPECT_EQ(rule.set_name(3), "coco");
}

TEST(DuplicateRule, ReadsCosineInAllItsForms) {
  EXPECT_FALSE(parse("{exact: true}").cosine);
  EXPECT_FALSE(parse("{cosine: false}").any());
  const auto plain = parse("{cosine: true}");
  EXPECT_TRUE(plain.any() && plain.cosine && !plain.exact && !plain.perceptual);
  EXPECT_EQ(plain.least_cosine, 0.95);
  EXPECT_EQ(plain.clusters, 0);
  EXPECT_EQ(plain.cosine_rule, CosineRule::kGreedy);
  EXPECT_EQ(plain.hashes(), 0);
  const auto full = parse("{cosine: {threshold: 0.9, clusters: 500, rule: semdedup}}");
  EXPECT_EQ(full.least_cosine, 0.9);
  EXPECT_EQ(full.clusters, 500);
  EXPECT_EQ(full.cosine_rule, CosineRule::kSemDeDup);
  EXPECT_EQ(parse("{cosine: {clusters: auto}}").clusters, 0);
}

TEST(DuplicateRule, RefusesCosinesThatCannotBe) {
  EXPECT_THAT(error_of("{cosine: {threshold: 1.5}}"), HasSubstr("duplicates.cosine.threshold"));
  EXPECT_THAT(error_of("{cosine: {threshold: .nan}}"), HasSubstr("duplicates.cosine.threshold"));
  EXPECT_THAT(error_of("{cosine: {clusters: 0}}"), HasSubstr("duplicates.cosine.clusters"));
  EXPECT_THAT(error_of("{cosine: {clusters: many}}"), HasSubstr("duplicates.cosine.clusters"));
  EXPECT_THAT(error_of("{cosine: {rule: semdedupe}}"), HasSubstr("semdedup"));
  EXPECT_THAT(error_of("{cosine: {treshold: 0.9}}"), HasSubstr("threshold"));
  EXPECT_THAT(error_of("{against: [.]}"), HasSubstr("needs exact, perceptual or cosine"));
  EXPECT_THAT(error_of("{cosine: true, against: [.]}"), HasSubstr("no run directory"));
}

TEST(DuplicateRule, RefusesCosinesOfMiniAndSaysWhy) {
  EXPECT_THAT(error_of("{cosine: true}", true),
              AllOf(HasSubstr("duplicates.cosine"), HasSubstr("median cosine of 0.94"),
                    HasSubstr("perceptual: true")));
  EXPECT_FALSE(parse("{exact: true, cosine: false}", true).cosine);
  EXPECT_TRUE(parse("{perceptual: true}", true).perceptual);
}

}  // namespace
}  // namespace quasar::curation
