#include "curation/curation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/errors.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;

CurationConfig parse(const std::string& text) {
  const auto root = base::ConfigNode::parse_text(text, "test.yaml");
  auto config = curation_config_from_yaml(root.child("curation"));
  root.finish();
  return config;
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

TEST(CurationConfig, HasDefaultsThatKeepEverything) {
  for (const auto* text : {"{}", "curation:\n", "curation: {}"}) {
    const auto config = parse(text);
    EXPECT_EQ(config.rank_by, "combined");
    EXPECT_TRUE(config.weights.empty() && config.minimum.empty());
    EXPECT_FALSE(config.threshold || config.top_k || config.top_fraction);
    EXPECT_TRUE(config.csv && config.jsonl && config.report);
  }
}

TEST(CurationConfig, ReadsEveryKey) {
  const auto config = parse(
      "curation:\n  weights: {quality: 1, aesthetics: 0.5}\n  rank_by: quality\n  minimum: {aesthetics: "
      "0.25}\n"
      "  keep: {top_fraction: 0.3}\n  manifest: [jsonl]\n  report: false\n  memory: 64MiB\n");
  EXPECT_EQ(config.weights.at("aesthetics"), 0.5);
  EXPECT_EQ(config.rank_by, "quality");
  EXPECT_EQ(config.minimum.at("aesthetics"), 0.25);
  EXPECT_EQ(config.top_fraction, 0.3);
  EXPECT_FALSE(config.threshold || config.top_k);
  EXPECT_FALSE(config.csv || config.report);
  EXPECT_TRUE(config.jsonl);
  EXPECT_EQ(config.memory, std::int64_t{64} << 20U);
  EXPECT_EQ(parse("curation: {keep: {top_k: 7}}").top_k, 7U);
  EXPECT_EQ(parse("curation: {keep: {threshold: 0.5}}").threshold, 0.5);
}

TEST(CurationConfig, RefusesWhatCannotBe) {
  EXPECT_THAT(error_of("curation: {keep: {top_k: 5, threshold: 0.5}}"), HasSubstr("only one of"));
  EXPECT_THAT(error_of("curation: {keep: {top_k: 0}}"), HasSubstr("curation.keep.top_k"));
  EXPECT_THAT(error_of("curation: {keep: {top_fraction: 1.5}}"), HasSubstr("curation.keep.top_fraction"));
  EXPECT_THAT(error_of("curation: {keep: {treshold: 0.5}}"), HasSubstr("threshold"));
  EXPECT_THAT(error_of("curation: {keep: {threshold: .nan}}"), HasSubstr("curation.keep.threshold"));
  EXPECT_THAT(error_of("curation: {weights: {a: -1}}"), HasSubstr("negative"));
  EXPECT_THAT(error_of("curation: {weights: {a: 0}}"), HasSubstr("all weights are 0"));
  EXPECT_THAT(error_of("curation: {minimum: {a: x}}"), HasSubstr("curation.minimum.a"));
  EXPECT_THAT(error_of("curation: {manifest: [xml]}"), HasSubstr("valid are csv and jsonl"));
  EXPECT_THAT(error_of("curation: {manifest: []}"), HasSubstr("names no format"));
  EXPECT_THAT(error_of("curation: {memory: 1MiB}"), HasSubstr("curation.memory"));
  EXPECT_THAT(error_of("curation: {wieghts: {a: 1}}"), HasSubstr("weights"));
}

TEST(CurationConfig, RefusesWeightsWhoseSumIsBeyondEveryNumber) {
  EXPECT_THAT(error_of("curation: {weights: {a: 1e308, b: 1e308}}"),
              testing::AllOf(HasSubstr("test.yaml:1:"), HasSubstr("curation.weights"), HasSubstr("sum")));
  EXPECT_EQ(error_of("curation: {weights: {a: 1e308, b: 1e307}}"), "no error");
}

std::string column_error_of(const std::string& text) {
  const auto root = base::ConfigNode::parse_text(text, "test.yaml");
  const auto node = root.child("curation");
  try {
    check_columns(node, curation_config_from_yaml(node), {"quality", "beauty"});
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

TEST(CurationConfig, NamesOnlyColumnsThatAreThere) {
  EXPECT_EQ(column_error_of("curation: {}"), "no error");
  EXPECT_EQ(column_error_of("curation:\n  rank_by: beauty\n  minimum: {combined: 0.1, quality: 0.2}\n"
                            "  weights: {beauty: 2}\n"),
            "no error");
  EXPECT_THAT(
      column_error_of("curation:\n  rank_by: qualty\n"),
      testing::AllOf(HasSubstr("test.yaml:2:3: curation.rank_by: "), HasSubstr("did you mean 'quality'?")));
  EXPECT_THAT(column_error_of("curation:\n  minimum: {beauti: 0.2}\n"),
              testing::AllOf(HasSubstr("test.yaml:2:13: curation.minimum.beauti: "), HasSubstr("'beauty'?")));
  EXPECT_THAT(
      column_error_of("curation:\n  weights: {qualitee: 1}\n"),
      testing::AllOf(HasSubstr("test.yaml:2:13: curation.weights.qualitee: "), HasSubstr("'quality'?")));
  EXPECT_THAT(column_error_of("curation:\n  weights: {combined: 1}\n"),
              HasSubstr("cannot have a weight itself"));
}

}  // namespace
}  // namespace quasar::curation
