#include "pipeline/crash_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

using testing::HasSubstr;

TEST(CrashCounts, TwoCrashesAreEnoughAndFourDeathsAreNot) {
  EXPECT_EQ(verdict_of({"a", 0, 0, 0}), "");
  EXPECT_EQ(verdict_of({"a", 0, 1, 0}), "");
  EXPECT_THAT(verdict_of({"a", 0, 2, 0}), HasSubstr("2 processes"));
  EXPECT_EQ(verdict_of({"a", 0, 0, 4}), "");
  EXPECT_EQ(verdict_of({"a", 0, 1, 3}), "");
  EXPECT_THAT(verdict_of({"a", 0, 0, 5}), HasSubstr("5 processes died"));
  EXPECT_THAT(verdict_of({"a", 0, 1, 4}), HasSubstr("5 processes died"));
}

TEST(CrashCounts, ComeBackAsTheyWereWritten) {
  const test::ScratchFolder scratch;
  update_crash_counts(scratch.path(), [](CrashCounts& all) {
    EXPECT_TRUE(all.empty());
    all[9] = {"\"quoted\"\n.jpg", 2, 1, 3};
  });
  update_crash_counts(scratch.path(), [](CrashCounts& all) {
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[9].id, "\"quoted\"\n.jpg");
    EXPECT_EQ(all[9].shard, 2);
    EXPECT_EQ(all[9].crashes, 1);
    EXPECT_EQ(all[9].deaths, 3);
  });
}

TEST(CrashCounts, ADamagedFileCountsAsNone) {
  for (const char* text :
       {"{", "[]\n", "{\"row\":1}\n", "\xFF\n", R"({"row":"1","id":"a","shard":0,"crashes":1,"deaths":0})",
        R"({"row":1,"id":7,"shard":0,"crashes":1,"deaths":0})"}) {
    const test::ScratchFolder scratch;
    std::ofstream(scratch / "crash_counts.jsonl") << text;
    const auto counts = update_crash_counts(scratch.path(), [](CrashCounts& all) {
      all[3] = {"b", 0, 1, 0};
    });
    EXPECT_EQ(counts.size(), 1U) << text;
  }
}

}  // namespace
}  // namespace quasar::pipeline
