#include "pipeline/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

using testing::HasSubstr;

class QuarantineTest : public testing::Test {
 protected:
  void write(const std::string& text) const {
    std::ofstream(scratch_ / "quarantine.jsonl", std::ios::binary) << text;
  }
  /// The error of reading it.
  std::string refusal(const std::string& text) const {
    write(text);
    try {
      read_quarantine(scratch_.path());
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      return error.what();
    }
    return "none for " + text;
  }
  test::ScratchFolder scratch_;
};

TEST_F(QuarantineTest, IsEmptyWithoutAFile) {
  EXPECT_TRUE(read_quarantine(scratch_.path()).empty());
}

TEST_F(QuarantineTest, ComesBackAsItWasWritten) {
  const Quarantine written = update_quarantine(scratch_.path(), [](Quarantine& all) {
    all[7] = {"a \"b\"\\\n\tc\xC3\xA4.jpg", base::RowStatus::kCrashed, "signal 11"};
    all[UINT64_MAX] = {"z", base::RowStatus::kTimedOut, ""};
  });
  const auto found = read_quarantine(scratch_.path());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(written.size(), 2U);
  EXPECT_EQ(found.at(7).id, "a \"b\"\\\n\tc\xC3\xA4.jpg");
  EXPECT_EQ(found.at(7).status, base::RowStatus::kCrashed);
  EXPECT_EQ(found.at(7).error, "signal 11");
  EXPECT_EQ(found.at(UINT64_MAX).status, base::RowStatus::kTimedOut);
  const auto rest = update_quarantine(scratch_.path(), [](Quarantine& all) { all.erase(7); });
  EXPECT_EQ(rest.size(), 1U);
  EXPECT_EQ(read_quarantine(scratch_.path()).size(), 1U);
}

TEST_F(QuarantineTest, TextThatIsNoUtf8IsReplacedAndNotRefused) {
  update_quarantine(scratch_.path(), [](Quarantine& all) {
    all[1] = {"\xFF.jpg", base::RowStatus::kCrashed, "\xFE"};
  });
  EXPECT_THAT(read_quarantine(scratch_.path()).at(1).id, HasSubstr(".jpg"));
}

TEST_F(QuarantineTest, DamageIsRefusedByLine) {
  const std::string good = R"({"row":3,"id":"x","status":"crashed","error":"e"})";
  for (const char* bad :
       {"{", "[]", "7", "null", "", R"({"row":3})", R"({"row":-3,"status":"crashed"})",
        R"({"row":"3","status":"crashed"})", R"({"row":3.5,"status":"crashed"})",
        R"({"row":3,"status":"melted"})", R"({"row":3,"status":14})", R"({"row":3,"status":null})",
        R"({"row":3,"status":"crashed","id":5})", R"({"row":3,"status":"crashed","error":[]})", "\xFF\xFE"}) {
    EXPECT_THAT(refusal(good + "\n" + bad + "\n"), HasSubstr("quarantine.jsonl:2")) << bad;
  }
  write(good);
  EXPECT_EQ(read_quarantine(scratch_.path()).size(), 1U) << "the last line's end is not needed";
}

TEST_F(QuarantineTest, ChangesAtTheSameTimeAreAllKept) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 10; ++i)
        update_quarantine(scratch_.path(), [&](Quarantine& all) { all[t * 100 + i].id = "x"; });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(read_quarantine(scratch_.path()).size(), 40U);
}

}  // namespace
}  // namespace quasar::pipeline
