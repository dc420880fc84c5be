#include "curation/balance_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/errors.h"
#include "curation/column_name.h"

namespace quasar::curation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BalanceRule rule_of(const std::string& yaml) {
  return balance_rule_from_yaml(base::ConfigNode::parse_text(yaml, "config.yaml"));
}

TEST(BalanceRule, ReadsTheSection) {
  const auto rule = rule_of(
      "levels: [20, 5, 2]\ntarget: 0.25\nbest: 0.5\niterations: 7\nseed: 3\n"
      "resample: {steps: [1, 10, 10], rows: 4}\n");
  EXPECT_TRUE(rule.any());
  EXPECT_THAT(rule.clusters.levels, ElementsAre(20, 5, 2));
  EXPECT_EQ(rule.share, 0.25);
  EXPECT_FALSE(rule.rows);
  EXPECT_EQ(rule.best, 0.5);
  EXPECT_EQ(rule.clusters.iterations, 7);
  EXPECT_EQ(rule.clusters.seed, 3U);
  EXPECT_THAT(rule.clusters.resampling,
              ElementsAre(cluster::Resampling{1, 4}, cluster::Resampling{10, 4}, cluster::Resampling{10, 4}));
  EXPECT_EQ(rule_of("{levels: [9], target: 500}").rows, 500U);
  EXPECT_FALSE(BalanceRule().any());
}

TEST(BalanceRule, SaysWhereAndWhatIsWrong) {
  const std::pair<const char*, const char*> faults[] = {
      {"target: 5", "needs \"levels\""},
      {"levels: []\ntarget: 5", "names no level"},
      {"levels: [20, 20]\ntarget: 5", "each level has fewer than the one before it"},
      {"levels: [5,\n 20]\ntarget: 5", "config.yaml:2"},
      {"levels: [0]\ntarget: 5", "must be 1 to"},
      {"levels: [20]", "needs a \"target\""},
      {"levels: [20]\ntarget: 0", "must be a whole number of rows, or a share"},
      {"levels: [20]\ntarget: 2.5", "must be a whole number of rows, or a share"},
      {"levels: [20]\nbest: 0", "must be a share above 0"},
      {"levels: [20]\nbest: 1.5", "best"},
      {"levels: [20, 5]\ntarget: 5\nresample: {steps: [1]}", "has 1 numbers for 2 levels"},
      {"levels: [20]\ntarget: 5\nresample: {rows: 0}", "must be 1 to"},
      {"levels: [20]\ntarget: 5\niteration: 4", "iterations"},
  };
  for (const auto& [yaml, message] : faults) {
    try {
      rule_of(yaml);
      FAIL() << yaml;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kConfig);
      EXPECT_THAT(error.what(), HasSubstr(message)) << yaml;
      EXPECT_THAT(error.what(), HasSubstr("config.yaml")) << yaml;
    }
  }
}

TEST(BalanceRule, RefusesMoreClustersThanRows) {
  const auto rule = rule_of("{levels: [20, 5], target: 9}");
  check_clusters(rule, 20, "all");
  try {
    check_clusters(rule, 19, "all of them");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), HasSubstr("config.yaml:1"));
    EXPECT_THAT(error.what(), HasSubstr("20 clusters of 19 rows, all of them"));
  }
}

TEST(BalanceRule, OwnsTheNamesOfItsColumns) {
  EXPECT_EQ(cluster_column(2), "cluster_2");
  EXPECT_NE(fault_of_name("cluster_2"), "");
  EXPECT_EQ(fault_of_name("cluster_"), "");
  EXPECT_EQ(fault_of_name("cluster_x"), "");
}

}  // namespace
}  // namespace quasar::curation
