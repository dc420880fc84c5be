#include "cluster/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace quasar::cluster {
namespace {

TEST(ThreadTeam, RunsEveryThreadOnceEachTime) {
  for (const int size : {1, 2, 5}) {
    ThreadTeam team(size);
    EXPECT_EQ(team.size(), size);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(size));
      team.run([&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
      for (const auto& count : calls) ASSERT_EQ(count.load(), 1);
    }
  }
}

TEST(ThreadTeam, ThrowsWhatAThreadThrewAndGoesOnWorking) {
  ThreadTeam team(3);
  for (int bad = 0; bad < 3; ++bad) {
    EXPECT_THROW(team.run([&](int thread) {
      if (thread == bad) throw std::out_of_range("one");
    }),
                 std::out_of_range);
  }
  std::atomic<int> calls = 0;
  team.run([&](int) { ++calls; });
  EXPECT_EQ(calls.load(), 3);
}

}  // namespace
}  // namespace quasar::cluster
