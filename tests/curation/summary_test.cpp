#include "curation/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "curation/sample_result.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;

TEST(Summary, AddsUpAndWritesFloatsAsTheyRead) {
  CurationConfig config;
  config.top_fraction = 0.3;
  config.weights = {{"quality", 1.0}};
  const auto text = summary_json(sample_result(), config, {{"quasar", "1.2"}}, {});
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("rows"), 1003);
  EXPECT_EQ(json.at("by_status").at("ok").get<int>() + json.at("by_status").at("missing").get<int>(), 1003);
  EXPECT_EQ(json.at("config").at("keep").at("top_fraction"), 0.3);
  EXPECT_EQ(json.at("columns").at("quality").at("deciles").size(), kQuantiles);
  EXPECT_EQ(json.at("software").at("quasar"), "1.2");
  EXPECT_THAT(text, HasSubstr("\"min\": 0.1,"));
}

TEST(Summary, WritesNullWhereThereIsNoNumber) {
  CurationResult result;
  ColumnStatistics none;
  none.min = none.mean = none.max = std::numeric_limits<double>::quiet_NaN();
  none.quantiles.fill(std::numeric_limits<double>::quiet_NaN());
  result.columns = {{"quality", none}};
  const auto json = nlohmann::json::parse(summary_json(result, {}, {}, {}));
  EXPECT_TRUE(json.at("columns").at("quality").at("mean").is_null());
}

TEST(Summary, TellsWhatTheCorpusHoldsAndThePlanDoesNot) {
  auto result = sample_result();
  EXPECT_FALSE(nlohmann::json::parse(summary_json(result, {}, {}, {})).contains("left_out"));
  result.left_out = {{"hidden files", 7}};
  result.noted = {{"rows joined", 12}};
  const auto json = nlohmann::json::parse(summary_json(result, {}, {}, {}));
  EXPECT_EQ(json.at("left_out"), nlohmann::json({{"hidden files", 7}}));
  EXPECT_EQ(json.at("noted"), nlohmann::json({{"rows joined", 12}}));
}

}  // namespace
}  // namespace quasar::curation
