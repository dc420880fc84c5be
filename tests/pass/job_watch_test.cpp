#include "pass/job_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include "pass/in_flight.h"

namespace quasar::pass {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(AwakeClock, AHaltCountsAsOneTurn) {
  AwakeClock clock;
  const steady_clock::time_point start;
  EXPECT_EQ(clock.turn(start), 0);
  EXPECT_NEAR(clock.turn(start + milliseconds(200)), 0.2, 1e-9);
  EXPECT_NEAR(clock.turn(start + milliseconds(400)), 0.4, 1e-9);
  EXPECT_LE(clock.turn(start + seconds(10000)), 1.5) << "suspended for hours";
}

TEST(EndJob, EndsTheProcessWithItsStatusAlsoWithoutMpi) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) end_job(base::ExitCode::kStalled, "over");
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 10);
}

TEST(InFlightTable, NamesTheLongest) {
  InFlightTable table(3);
  EXPECT_EQ(table.longest(0), "");
  table.begin(1, "reading", 4, "a/first.jpg");
  table.begin(0, "decoding", 4, "second.jpg");
  ASSERT_EQ(table.items().size(), 2U);
  EXPECT_EQ(table.items()[0].id, "a/first.jpg");
  EXPECT_EQ(table.items()[0].shard, 4);
  EXPECT_THAT(table.longest(0), testing::HasSubstr("reading a/first.jpg for "));
  EXPECT_EQ(table.longest(1000), "");
  { const InFlightSlot slot(table, 1); }
  ASSERT_EQ(table.items().size(), 1U);
  EXPECT_EQ(table.items()[0].doing, "decoding");
}

}  // namespace
}  // namespace quasar::pass
