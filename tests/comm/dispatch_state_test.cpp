#include "comm/dispatch_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/communicator.h"

namespace quasar::comm {
namespace {

using base::ExitCode;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kLimit = 10;

Call call_of(CallKind kind, std::uint64_t activity = 0) {
  Call call;
  call.kind = kind;
  call.id = 7;
  call.activity = activity;
  call.phase = "k-means";
  return call;
}

Call take_of(std::int32_t pass, std::int64_t shards) {
  auto call = call_of(CallKind::kTake);
  call.pass = pass;
  call.shards = shards;
  return call;
}

class DispatchStateTest : public testing::Test {
 protected:
  DispatchState state_{{"alpha", "beta", "gamma"}};

  std::int64_t take(int rank, std::int32_t pass = 1, std::int64_t shards = 4) {
    return state_.take(rank, take_of(pass, shards)).at(0).reply.shard;
  }
  std::vector<Addressed> leave(int rank, Outcome outcome = {}) {
    auto call = call_of(CallKind::kLeave);
    call.id = static_cast<std::uint64_t>(100 + rank);
    call.pass = 1;
    call.outcome = std::move(outcome);
    return state_.take(rank, call);
  }
  /// All ranks are heard of, and get something done if `active`.
  void pulse(int rank, std::uint64_t activity, bool waiting = false) {
    auto call = call_of(CallKind::kPulse, activity);
    call.waiting = waiting;
    state_.take(rank, call);
  }
};

TEST_F(DispatchStateTest, HandsOutEveryShardOnceAndPassesApart) {
  EXPECT_EQ(take(0), 0);
  EXPECT_EQ(take(2), 1);
  EXPECT_EQ(take(1, 2), 0) << "a pass of its own";
  EXPECT_EQ(take(1), 2);
  EXPECT_EQ(take(1), 3);
  EXPECT_EQ(take(0), -1);
  EXPECT_EQ(take(2), -1);
}

TEST_F(DispatchStateTest, RepliesCarryTheNumberOfTheirCall) {
  const auto replies = state_.take(2, call_of(CallKind::kPulse));
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].rank, 2);
  EXPECT_EQ(replies[0].reply.id, 7U);
}

TEST_F(DispatchStateTest, RanksLeaveTogetherWithTheErrorOfTheLowestThatFailed) {
  EXPECT_THAT(leave(2, {ExitCode::kOutput, "disk full"}), IsEmpty());
  EXPECT_EQ(take(0), -1) << "nothing more is begun once a rank has failed";
  EXPECT_THAT(leave(1, {ExitCode::kInput, "no shard"}), IsEmpty());
  const auto replies = leave(0);
  ASSERT_EQ(replies.size(), 3U);
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(replies[r].rank, static_cast<int>(r));
    EXPECT_EQ(replies[r].reply.id, 100 + r);
    EXPECT_EQ(replies[r].reply.outcome.code, ExitCode::kInput);
    EXPECT_EQ(replies[r].reply.outcome.message, "no shard");
  }
}

TEST_F(DispatchStateTest, AStopReachesEveryRankAndEndsThePassAsInterrupted) {
  EXPECT_EQ(take(0), 0);
  auto pulse = call_of(CallKind::kPulse);
  pulse.stop = true;
  state_.take(1, pulse);
  EXPECT_TRUE(state_.take(2, call_of(CallKind::kPulse)).at(0).reply.stop);
  EXPECT_EQ(take(2), -1);
  leave(0);
  leave(1);
  EXPECT_EQ(leave(2).at(0).reply.outcome.code, ExitCode::kInterrupted);
}

TEST_F(DispatchStateTest, RowsAddUpAndTheSlowestRankIsNamed) {
  for (int rank = 0; rank < 3; ++rank) {
    auto call = take_of(1, 9);
    call.rows = rank == 1 ? 5 : 500;
    state_.take(rank, call);
  }
  auto progress = state_.progress(1);
  EXPECT_EQ(progress.rows, 1005);
  EXPECT_EQ(progress.working, 3);
  EXPECT_EQ(progress.slowest, 1);
  EXPECT_EQ(progress.slowest_rows, 5);
  leave(1);
  progress = state_.progress(1);
  EXPECT_EQ(progress.working, 2);
  EXPECT_NE(progress.slowest, 1);
}

TEST_F(DispatchStateTest, ARankThatIsNotHeardOfIsNamedWithHostAndPhase) {
  for (int rank = 0; rank < 3; ++rank) pulse(rank, 1);
  EXPECT_FALSE(state_.look(0, kLimit));
  for (double now = 1; now < 10; ++now) {
    for (int rank = 0; rank < 2; ++rank) pulse(rank, static_cast<std::uint64_t>(now) + 1);
    EXPECT_FALSE(state_.look(now, kLimit)) << now;
  }
  pulse(0, 100);
  pulse(1, 100);
  const auto verdict = state_.look(10.5, kLimit);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->code, ExitCode::kStalled);
  EXPECT_THAT(verdict->message, HasSubstr("rank 2 on gamma has given no sign of life for 10.5 s"));
  EXPECT_THAT(verdict->message, HasSubstr("phase \"k-means\""));
}

TEST_F(DispatchStateTest, ARankThatGetsNothingDoneIsNamedUnlessItWaits) {
  const auto turn = [&](double now, bool waiting) {
    pulse(0, static_cast<std::uint64_t>(now));
    pulse(1, 5, waiting);
    pulse(2, static_cast<std::uint64_t>(now));
    return state_.look(now, kLimit);
  };
  for (double now = 1; now < 30; ++now) EXPECT_FALSE(turn(now, true)) << now;
  const auto verdict = turn(30, false);
  ASSERT_TRUE(verdict);
  EXPECT_THAT(verdict->message, HasSubstr("rank 1 on beta has got nothing done for 29.0 s"));
}

TEST_F(DispatchStateTest, RanksThatAllWaitForOneAnotherAreFound) {
  const auto turn = [&](double now) {
    for (int rank = 0; rank < 3; ++rank) pulse(rank, 1, true);
    return state_.look(now, kLimit);
  };
  for (double now = 1; now < 11; ++now) EXPECT_FALSE(turn(now)) << now;
  const auto verdict = turn(12);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->code, ExitCode::kStalled);
  EXPECT_THAT(verdict->message, HasSubstr("all ranks have waited for one another"));
}

TEST_F(DispatchStateTest, WhoWaitsForARankThatHasEndedEndsWithItsError) {
  auto end = call_of(CallKind::kEnd);
  end.outcome = {ExitCode::kInput, "EIO in shard 1"};
  EXPECT_THAT(state_.take(1, end), IsEmpty());
  std::optional<Verdict> verdict;
  for (double now = 1; now < 8 && !verdict; ++now) {
    pulse(0, 1, true);
    pulse(1, 1, true);
    pulse(2, static_cast<std::uint64_t>(now), false);
    verdict = state_.look(now, kLimit);
    if (now < 5) {
      EXPECT_FALSE(verdict) << "it may be about to end, too";
    }
  }
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->code, ExitCode::kInput);
  EXPECT_EQ(verdict->message, "EIO in shard 1");
}

TEST_F(DispatchStateTest, WhenAllHaveEndedTheWorstOutcomeIsEveryones) {
  auto end = call_of(CallKind::kEnd);
  state_.take(0, end);
  end.outcome = {ExitCode::kOutput, "disk full"};
  state_.take(2, end);
  end.outcome = {};
  const auto replies = state_.take(1, end);
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(replies[0].reply.outcome.code, ExitCode::kOutput);
  EXPECT_FALSE(state_.others_are_gone());
  state_.take(1, call_of(CallKind::kGoodbye));
  state_.take(2, call_of(CallKind::kGoodbye));
  EXPECT_TRUE(state_.others_are_gone());
  EXPECT_FALSE(state_.look(9, kLimit));
}

TEST(DispatchMessage, ComesBackAsItWasSent) {
  Call call = call_of(CallKind::kLeave, 123456789012345);
  call.pass = 3;
  call.rows = -1;
  call.waiting = true;
  call.stop = true;
  call.outcome = {ExitCode::kOutput, std::string("a\0b", 3)};
  const auto back = call_from_bytes(to_bytes(call));
  EXPECT_EQ(back.kind, CallKind::kLeave);
  EXPECT_EQ(back.activity, 123456789012345U);
  EXPECT_EQ(back.pass, 3);
  EXPECT_EQ(back.rows, -1);
  EXPECT_TRUE(back.waiting && back.stop);
  EXPECT_EQ(back.outcome.code, ExitCode::kOutput);
  EXPECT_EQ(back.outcome.message, call.outcome.message);
  EXPECT_EQ(back.phase, "k-means");
  const auto reply = reply_from_bytes(to_bytes(Reply{9, 4, true, {ExitCode::kConfig, "x"}}));
  EXPECT_EQ(reply.id, 9U);
  EXPECT_EQ(reply.shard, 4);
  EXPECT_TRUE(reply.stop);
  EXPECT_EQ(reply.outcome.message, "x");
}

TEST(DispatchMessage, LongTextsAreCutAndDamageIsAnError) {
  Call call;
  call.outcome.message.assign(3 * kMostTextBytes, 'm');
  const auto bytes = to_bytes(call);
  EXPECT_EQ(call_from_bytes(bytes).outcome.message.size(), kMostTextBytes);
  for (std::size_t size = 0; size < bytes.size(); size += 97)
    EXPECT_THROW(call_from_bytes(std::string_view(bytes).substr(0, size)), base::Error);
  EXPECT_THROW(call_from_bytes(bytes + "x"), base::Error);
}

TEST(ThreadLevel, OneRankNeedsNoneAndSeveralNeedThemAll) {
  EXPECT_EQ(thread_level_fault(0, 1), "");
  EXPECT_EQ(thread_level_fault(3, 64), "");
  EXPECT_THAT(thread_level_fault(2, 2), HasSubstr("MPI_THREAD_SERIALIZED"));
  EXPECT_THAT(thread_level_fault(0, 8), HasSubstr("MPI_THREAD_SINGLE, and a job of 8 ranks"));
}

}  // namespace
}  // namespace quasar::comm
