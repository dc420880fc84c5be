#include "pipeline/job_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "pipeline/stop_signal.h"
#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class JobBoardTest : public testing::Test {
 protected:
  const comm::Communicator world_ = comm::Communicator::world();
  JobBoard board_{world_};
};

TEST_F(JobBoardTest, EveryShardIsTakenOnce) {
  constexpr std::int64_t kShards = 200;
  std::string mine;
  for (std::int64_t next = 0; (next = board_.take_shard()) < kShards;) mine += std::to_string(next) + " ";
  std::vector<std::int64_t> all;
  for (const auto& text : world_.all_gather(mine)) {
    std::istringstream numbers(text);
    for (std::int64_t number = 0; numbers >> number;) all.push_back(number);
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kShards));
  for (std::int64_t i = 0; i < kShards; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST_F(JobBoardTest, TakingAllLeavesNothingToTheOthers) {
  if (world_.is_root()) board_.take_all(50);
  world_.barrier();
  EXPECT_GE(board_.take_shard(), 50);
}

TEST_F(JobBoardTest, NewsAddUpOverTheJobAndByRank) {
  const int rank = world_.rank();
  board_.post(10 + rank, 3);
  board_.post(0, 2);
  if (rank == world_.size() - 1) board_.post_finished();
  world_.barrier();
  const auto ranks = board_.ranks();
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(world_.size()));
  std::int64_t rows = 0;
  for (int r = 0; r < world_.size(); ++r) {
    const auto& found = ranks[static_cast<std::size_t>(r)];
    EXPECT_EQ(found.rows, 10 + r);
    EXPECT_EQ(found.steps, 5);
    EXPECT_EQ(found.finished, r == world_.size() - 1);
    rows += found.rows;
  }
  EXPECT_EQ(board_.rows_done(), rows);
  world_.barrier();
}

TEST_F(JobBoardTest, OneRanksStopIsSeenByAll) {
  EXPECT_FALSE(board_.stop_posted());
  world_.barrier();
  if (world_.rank() == world_.size() - 1) board_.post_stop();
  world_.barrier();
  EXPECT_TRUE(board_.stop_posted());
}

class StallWatchTest : public JobBoardTest {
 protected:
  static constexpr double kLimit = 0.2;
  /// Longer than the limit.
  static void wait() { std::this_thread::sleep_for(milliseconds(300)); }
  test::ScratchFolder scratch_;
};

TEST_F(StallWatchTest, NamesTheRankThatStandsStillAndNoOther) {
  const int silent = world_.size() - 1;
  StallWatch watch(board_, scratch_.path(), kLimit, 0);
  EXPECT_EQ(watch.verdict(), "");
  world_.barrier();
  wait();
  if (world_.rank() != silent) board_.post(1, 1);
  world_.barrier();
  EXPECT_THAT(watch.verdict(), HasSubstr("rank " + std::to_string(silent) + " has got nothing done for"));
  world_.barrier();
  board_.post(0, 1);
  world_.barrier();
  EXPECT_EQ(watch.verdict(), "") << "it goes on";
  world_.barrier();
}

TEST_F(StallWatchTest, ARankThatIsDoneMayStandStill) {
  StallWatch watch(board_, scratch_.path(), kLimit, 0);
  EXPECT_EQ(watch.verdict(), "");
  board_.post_finished();
  world_.barrier();
  wait();
  EXPECT_EQ(watch.verdict(), "");
  EXPECT_EQ(watch.slowest(), "");
  world_.barrier();
}

TEST_F(StallWatchTest, OtherRanksWatchTheFirst) {
  if (world_.size() == 1) GTEST_SKIP() << "there is no other rank";
  // As on the last rank: it looks at rank 0 and leaves the others to it.
  StallWatch watch(board_, scratch_.path(), kLimit, world_.size() - 1);
  EXPECT_EQ(watch.verdict(), "");
  world_.barrier();
  wait();
  if (world_.is_root()) board_.beat();
  world_.barrier();
  EXPECT_EQ(watch.verdict(), "") << "rank 0 lives, and what the ranks get done is its business";
  board_.post_finished();
  world_.barrier();
  wait();
  EXPECT_THAT(watch.verdict(), HasSubstr("rank 0 has given no sign of life for"));
  world_.barrier();
}

TEST_F(StallWatchTest, SaysWhichRankIsSlowest) {
  StallWatch watch(board_, scratch_.path(), 60, 0);
  const int slow = world_.size() / 2;
  board_.post(world_.rank() == slow ? 5 : 500, 1);
  world_.barrier();
  EXPECT_EQ(watch.verdict(), "");
  if (world_.size() == 1) {
    EXPECT_EQ(watch.slowest(), "");
  } else {
    EXPECT_THAT(watch.slowest(), HasSubstr("slowest rank " + std::to_string(slow) + ": "));
  }
  world_.barrier();
}

// Last of its suite, as a stop cannot be taken back.
TEST_F(JobBoardTest, ASharedStopIsEveryRanksOwn) {
  board_.share_stop();
  EXPECT_FALSE(stop_requested());
  world_.barrier();
  if (world_.is_root()) request_stop();
  board_.share_stop();
  world_.barrier();
  board_.share_stop();
  EXPECT_TRUE(stop_requested());
}

}  // namespace
}  // namespace quasar::pipeline
