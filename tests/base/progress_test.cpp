// What long work says of itself, and short work does not.
#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace quasar::base {
namespace {

using testing::HasSubstr;

std::string said(Progress::Brief brief, std::chrono::milliseconds takes) {
  testing::internal::CaptureStderr();
  {
    Progress progress("count", "shards", 10, brief);
    progress.update(0);
    std::this_thread::sleep_for(takes);
    progress.update(5);
    progress.update(10);
  }
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, TellsTheCountAtTheEnd) {
  EXPECT_THAT(said(Progress::Brief::kNo, std::chrono::milliseconds(0)), HasSubstr("count: 10 shards in"));
}

TEST(Progress, IsSilentOfBriefWorkThatIsOverAtOnceAlone) {
  EXPECT_EQ(said(Progress::Brief::kYes, std::chrono::milliseconds(0)), "");
  const auto text = said(Progress::Brief::kYes, std::chrono::milliseconds(2100));
  EXPECT_THAT(text, HasSubstr("count: 5/10 shards"));
  EXPECT_THAT(text, HasSubstr("count: 10 shards in"));
}

}  // namespace
}  // namespace quasar::base
