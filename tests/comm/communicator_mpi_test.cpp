#include "comm/communicator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "comm/cores.h"
#include "comm/work_counter.h"

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

TEST(WorkCounter, HandsOutEveryNumberOnce) {
  const auto world = Communicator::world();
  constexpr std::int64_t kItems = 500;
  std::vector<std::int64_t> mine(kItems, 0);
  {
    WorkCounter counter(world, 2);
    for (std::int64_t i = counter.fetch_add(1, 1); i < kItems; i = counter.fetch_add(1, 1)) {
      mine[static_cast<std::size_t>(i)] = 1;
    }
    world.barrier();
    EXPECT_EQ(counter.read()[1], kItems + world.size());
    EXPECT_EQ(counter.read()[0], 0);
    world.barrier();
  }
  world.all_reduce(std::span(mine), Reduction::kSum);
  EXPECT_TRUE(std::all_of(mine.begin(), mine.end(), [](auto n) { return n == 1; }));
}

}  // namespace
}  // namespace quasar::comm
