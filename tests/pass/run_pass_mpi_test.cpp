#include "pass/run_pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "base/stop_signal.h"

namespace quasar::pass {
namespace {

class RunPassTest : public testing::Test {
 protected:
  const comm::Communicator world_ = comm::Communicator::world();
};

TEST_F(RunPassTest, EveryShardIsWorkedOffOnce) {
  constexpr std::size_t kShards = 200;
  std::vector<std::int64_t> done(kShards, 0);
  std::atomic<int> ticks{0};
  run_pass({"test", "shards", kShards, kShards, 0, [&] { ++ticks; }}, world_, [&](ShardFeed& feed) {
    while (const auto next = feed.next()) {
      ++done[*next];
      feed.add_done(1);
    }
    while (ticks == 0) std::this_thread::yield();
  });
  world_.all_reduce(std::span(done), comm::Reduction::kSum);
  EXPECT_TRUE(std::all_of(done.begin(), done.end(), [](auto n) { return n == 1; }));
}

TEST_F(RunPassTest, AnErrorOfOneRankEndsThePassOnAll) {
  const int culprit = world_.size() - 1;
  std::size_t begun = 0;
  try {
    run_pass({"test", "", 100000}, world_, [&](ShardFeed& feed) {
      while (feed.next()) {
        ++begun;
        if (world_.rank() == culprit) base::fail(base::ExitCode::kInput, "EIO in a shard");
      }
    });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_STREQ(error.what(), "EIO in a shard");
  }
  EXPECT_LT(begun, 100000U);
  // The ranks are in step: the next pass works.
  run_pass({"next", "", 3}, world_, [](ShardFeed& feed) {
    while (feed.next()) {
    }
  });
}

TEST_F(RunPassTest, ACollectiveInsideOfTheWorkIsRefused) {
  if (world_.size() == 1) GTEST_SKIP() << "a rank alone waits for nobody";
  EXPECT_THROW(run_pass({"test", "", 4}, world_, [&](ShardFeed&) { world_.barrier(); }), base::Error);
}

// Last, as a stop cannot be taken back.
TEST_F(RunPassTest, AStopOfOneRankInterruptsAll) {
  try {
    run_pass({"test", "", 1000000}, world_, [&](ShardFeed& feed) {
      while (feed.next()) {
        if (world_.is_root()) base::request_stop();
      }
    });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInterrupted);
  }
  EXPECT_TRUE(base::stop_requested());
}

}  // namespace
}  // namespace quasar::pass
