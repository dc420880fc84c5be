#include "decode/memory_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace quasar::decode {
namespace {

void wait_for_waiting(const MemoryGate& gate, std::size_t count) {
  while (gate.waiting() != count) std::this_thread::yield();
}

TEST(MemoryGate, CountsWhatIsHeldAndItsPeak) {
  MemoryGate gate(100);
  auto first = gate.acquire(60);
  {
    const auto second = gate.acquire(40);
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(gate.held(), 100U);
  }
  EXPECT_EQ(gate.held(), 60U);
  first.reset();
  EXPECT_EQ(gate.held(), 0U);
  EXPECT_EQ(gate.peak(), 100U);
}

TEST(MemoryGate, ALargeAskIsNotStarvedBySmallOnes) {
  MemoryGate gate(100);
  auto held = gate.acquire(50);
  std::atomic<bool> large_served{false};
  std::thread large([&] {
    const auto claim = gate.acquire(100);
    large_served = true;
  });
  wait_for_waiting(gate, 1);
  std::thread small([&] {
    const auto claim = gate.acquire(10);
    EXPECT_TRUE(large_served);
  });
  wait_for_waiting(gate, 2);
  EXPECT_EQ(gate.held(), 50U) << "there is room for the small one, and it is not its turn";
  held.reset();
  large.join();
  small.join();
}

TEST(MemoryGate, WhatMayGrowIsServedBeforeAllWhoWait) {
  MemoryGate gate(100);
  auto growing = gate.acquire_first(40);
  auto other = gate.acquire(60);
  std::atomic<bool> grown{false};
  std::thread waiter([&] {
    const auto claim = gate.acquire(20);
    EXPECT_TRUE(grown);
  });
  wait_for_waiting(gate, 1);
  std::thread grower([&] {
    EXPECT_TRUE(growing->grow(100));
    grown = true;
    growing.reset();
  });
  wait_for_waiting(gate, 2);
  other.reset();
  grower.join();
  waiter.join();
}

TEST(MemoryGate, OneAtATimeMayGrow) {
  MemoryGate gate(100);
  auto first = gate.acquire_first(40);
  std::atomic<bool> closed{false};
  std::thread second([&] {
    EXPECT_TRUE(gate.acquire_first(40).has_value());
    EXPECT_TRUE(closed);
  });
  wait_for_waiting(gate, 1);
  closed = true;
  EXPECT_TRUE(first->grow(50));
  second.join();
}

TEST(MemoryGate, ManyThatGrowNeverWaitForEachOther) {
  MemoryGate gate(100);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&gate, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 2000; ++i) {
        const std::uint64_t first = random() % 60;
        if (random() % 2 == 0) {
          auto claim = gate.acquire_first(first);
          ASSERT_TRUE(claim->grow(first + random() % 40));
        } else {
          ASSERT_TRUE(gate.acquire(first).has_value());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(gate.held(), 0U);
  EXPECT_LE(gate.peak(), 100U);
}

TEST(MemoryGate, InterruptionEndsEveryWait) {
  MemoryGate gate(100);
  auto growing = gate.acquire_first(50);
  const auto held = gate.acquire(50);
  std::thread waiter([&] { EXPECT_FALSE(gate.acquire(10).has_value()); });
  std::thread grower([&] { EXPECT_FALSE(growing->grow(60)); });
  wait_for_waiting(gate, 2);
  gate.interrupt();
  waiter.join();
  grower.join();
  EXPECT_FALSE(gate.acquire(0).has_value());
}

}  // namespace
}  // namespace quasar::decode
