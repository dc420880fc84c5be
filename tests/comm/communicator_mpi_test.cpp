#include "comm/communicator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "base/activity.h"
#include "comm/cores.h"
#include "comm/dispatcher.h"

namespace quasar::comm {
namespace {

TEST(Communicator, ReducesAndBroadcasts) {
  const auto world = Communicator::world();
  EXPECT_EQ(world.all_reduce(std::int64_t{world.rank() + 1}, Reduction::kSum),
            world.size() * (world.size() + 1) / 2);
  EXPECT_EQ(world.all_reduce(static_cast<double>(world.rank()), Reduction::kMax), world.size() - 1);
  EXPECT_THROW(world.all_reduce(1.0, Reduction::kSum), base::Error);
  std::string text = world.is_root() ? "from root" : "";
  world.broadcast(text);
  EXPECT_EQ(text, "from root");
}

TEST(Communicator, ExchangesUnequalParts) {
  const auto world = Communicator::world();
  std::vector<std::vector<int>> parts(static_cast<std::size_t>(world.size()));
  for (std::size_t r = 0; r < parts.size(); ++r) parts[r].assign(r * 3, world.rank());
  const auto received = world.exchange(parts);
  for (std::size_t r = 0; r < received.size(); ++r) {
    EXPECT_EQ(received[r], std::vector<int>(static_cast<std::size_t>(world.rank()) * 3, static_cast<int>(r)));
  }
}

TEST(Communicator, GathersInRankOrder) {
  const auto world = Communicator::world();
  const auto all = world.all_gather("rank " + std::to_string(world.rank()));
  ASSERT_EQ(all.size(), static_cast<std::size_t>(world.size()));
  for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r], "rank " + std::to_string(r));
  EXPECT_EQ(world.gather("x").size(), world.is_root() ? static_cast<std::size_t>(world.size()) : 0U);
}

TEST(Communicator, AnErrorOfOneRankIsThrownOnAll) {
  const auto world = Communicator::world();
  const int culprit = world.size() - 1;
  try {
    world.together([&] {
      if (world.rank() == culprit) base::fail(base::ExitCode::kInput, "missing thing");
    });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_STREQ(error.what(), "missing thing");
  }
  world.together([] {});
}

TEST(Communicator, AFileThatCannotBeLookedAtIsAnInputErrorOnEveryRank) {
  const auto world = Communicator::world();
  try {
    world.on_root([] { EXPECT_FALSE(std::filesystem::exists(std::string(300, 'n'))); });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_NE(std::string(error.what()).find("File name too long"), std::string::npos) << error.what();
  }
}

TEST(CoresOfRank, AreAtLeastOneAndTogetherNoMoreThanTheMachineHas) {
  const auto world = Communicator::world();
  const int cores = cores_of_rank(world);
  EXPECT_GE(cores, 1);
  const auto all = world.all_reduce(static_cast<std::int64_t>(cores), Reduction::kSum);
  EXPECT_LE(all, std::max<std::int64_t>(world.size(), std::thread::hardware_concurrency()));
}

TEST(Communicator, CollectivesInsideOfARanksOwnWorkAreRefused) {
  const auto world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "a rank alone waits for nobody";
  const auto refused = [&](const std::function<void()>& collective) {
    try {
      world.together(collective);
      return false;
    } catch (const base::Error& error) {
      return error.code() == base::ExitCode::kInternal &&
             std::string(error.what()).find("may fail on one rank alone") != std::string::npos;
    }
  };
  EXPECT_TRUE(refused([&] { world.barrier(); }));
  EXPECT_TRUE(refused([&] { world.all_reduce(std::int64_t{1}, Reduction::kSum); }));
  EXPECT_TRUE(refused([&] { world.all_gather("x"); }));
  EXPECT_TRUE(refused([&] { world.together([] {}); }));
  EXPECT_TRUE(refused([&] {
    std::string text;
    world.broadcast(text);
  }));
  world.barrier();
}

TEST(Dispatcher, HandsOutEveryShardOnce) {
  const auto world = Communicator::world();
  constexpr std::int64_t kShards = 300;
  auto& dispatcher = world.dispatcher();
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<std::int64_t> mine(kShards, 0);
    dispatcher.begin_pass(kShards);
    while (const auto next = dispatcher.take()) {
      mine[static_cast<std::size_t>(*next)] = 1;
      dispatcher.add_rows(2);
    }
    EXPECT_EQ(dispatcher.leave({}).code, base::ExitCode::kOk);
    if (world.is_root()) {
      EXPECT_EQ(dispatcher.progress().rows, 2 * kShards);
    }
    world.all_reduce(std::span(mine), Reduction::kSum);
    EXPECT_TRUE(std::all_of(mine.begin(), mine.end(), [](auto n) { return n == 1; }));
  }
}

TEST(Dispatcher, AFailureOfOneRankIsEveryRanksAndNothingMoreIsBegun) {
  const auto world = Communicator::world();
  auto& dispatcher = world.dispatcher();
  dispatcher.begin_pass(1000);
  const int culprit = world.size() - 1;
  Outcome mine;
  if (world.rank() == culprit) {
    EXPECT_TRUE(dispatcher.take());
    mine = {base::ExitCode::kInput, "EIO"};
  }
  const auto all = dispatcher.leave(mine);
  EXPECT_EQ(all.code, base::ExitCode::kInput);
  EXPECT_EQ(all.message, "EIO");
  EXPECT_FALSE(dispatcher.take());
}

TEST(Dispatcher, RanksThatPulseAreNotSilentThoughTheirMainThreadIsBusy) {
  const auto world = Communicator::world();
  auto& dispatcher = world.dispatcher();
  dispatcher.set_limit(0.5);
  world.barrier();
  const auto start = std::chrono::steady_clock::now();
  std::optional<Verdict> verdict;
  double awake = 0;
  while (awake < 1.5 && !verdict) {
    base::note_activity();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    awake = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    verdict = dispatcher.look(awake);
  }
  EXPECT_FALSE(verdict) << verdict->message;
  dispatcher.set_limit(60);
  world.barrier();
}

TEST(Dispatcher, AllEndTogether) {
  const auto world = Communicator::world();
  const Outcome mine = world.is_root() ? Outcome{} : Outcome{base::ExitCode::kOutput, "full"};
  EXPECT_EQ(world.dispatcher().end(mine).code,
            world.size() == 1 ? base::ExitCode::kOk : base::ExitCode::kOutput);
}

}  // namespace
}  // namespace quasar::comm
