// What ends a worker costs its picture a row, and nothing else.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/sanitized.h"
#include "pools.h"

namespace quasar::decode {
namespace {

using base::RowStatus;
using testing::HasSubstr;

class Death : public testing::Test {
 protected:
  /// The result, and after it that of a good picture.
  static image::Prepared decode_then_good(WorkerPool& pool, std::string_view id) {
    const std::string jpeg = scene_jpeg();
    auto bad = pool.decode(0, {.id = id}, bytes_of(jpeg));
    EXPECT_TRUE(bad.has_value());
    expect_same(image::prepare(bytes_of(jpeg), {}, pool_config().spec),
                pool.decode(0, {.id = "good"}, bytes_of(jpeg)), "the next one");
    return bad.value_or(image::Prepared{});
  }
};

TEST_F(Death, ACrashNamesItsSignal) {
  const Poison poison("abort:bad-a,segv:bad-s,exit:bad-e");
  WorkerPool pool(pool_config());
  const auto aborted = decode_then_good(pool, "bad-a");
  EXPECT_EQ(aborted.status, RowStatus::kCrashed);
  EXPECT_EQ(aborted.error, "decoding it ended the decoder with signal SIGABRT (Aborted)");
  EXPECT_TRUE(aborted.image.pixels.empty());
  // AddressSanitizer reports it and aborts.
#if defined(QUASAR_SANITIZED)
  EXPECT_THAT(decode_then_good(pool, "bad-s").error, HasSubstr("SIGABRT"));
#else
  EXPECT_THAT(decode_then_good(pool, "bad-s").error, HasSubstr("SIGSEGV"));
#endif
  EXPECT_THAT(decode_then_good(pool, "bad-e").error, HasSubstr("exit status 1"));
  const auto statistics = pool.statistics();
  EXPECT_EQ(statistics.crashed, 3U);
  EXPECT_EQ(statistics.pictures, 6U);
  EXPECT_GT(statistics.restart_seconds, 0);
}

TEST_F(Death, AKillFromOutsideIsTriedOnceMoreAndThenNamed) {
  const Poison poison("kill:bad-*");
  WorkerPool pool(pool_config());
  const auto killed = decode_then_good(pool, "bad-1");
  EXPECT_EQ(killed.status, RowStatus::kCrashed);
  EXPECT_THAT(killed.error, HasSubstr("SIGKILL"));
  EXPECT_THAT(killed.error, HasSubstr("memory"));
  EXPECT_EQ(pool.statistics().restarts, 2U);
}

TEST_F(Death, OneKillByChanceCostsNothing) {
  WorkerPool pool(pool_config());
  ::kill(pool.process(0), SIGKILL);
  const std::string jpeg = scene_jpeg();
  expect_same(image::prepare(bytes_of(jpeg), {}, pool_config().spec), pool.decode(0, {}, bytes_of(jpeg)),
              "it");
  EXPECT_EQ(pool.statistics().restarts, 1U);
  EXPECT_EQ(pool.statistics().crashed, 0U);
}

TEST_F(Death, TheResultOfACrashDoesNotDependOnWhatCameBefore) {
  const Poison poison("abort:bad");
  WorkerPool fresh(pool_config());
  WorkerPool used(pool_config());
  const std::string jpeg = scene_jpeg();
  used.decode(0, {.id = "good"}, bytes_of(jpeg));
  expect_same(*fresh.decode(0, {.id = "bad"}, bytes_of(jpeg)), used.decode(0, {.id = "bad"}, bytes_of(jpeg)),
              "bad");
  EXPECT_EQ(fresh.statistics().restarts, 1U);
  EXPECT_EQ(used.statistics().restarts, 2U) << "it is tried again in a fresh worker";
}

TEST_F(Death, OtherWorkersGoOn) {
  const Poison poison("abort:bad-a,kill:bad-k,segv:bad-s");
  constexpr int kWorkers = 3;
  WorkerPool pool(pool_config(kWorkers));
  const std::string jpeg = scene_jpeg();
  const auto good = image::prepare(bytes_of(jpeg), {}, pool_config().spec);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  threads.reserve(kWorkers);
  for (int worker = 1; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      const int process = pool.process(worker);
      while (!over) expect_same(good, pool.decode(worker, {.id = "good"}, bytes_of(jpeg)), "beside");
      EXPECT_EQ(pool.process(worker), process);
    });
  }
  for (const char* id : {"bad-a", "bad-k", "bad-s"})
    EXPECT_EQ(pool.decode(0, {.id = id}, bytes_of(jpeg))->status, RowStatus::kCrashed);
  over = true;
  for (auto& thread : threads) thread.join();
}

TEST_F(Death, AHangIsEndedAndNamesItsLimit) {
  const Poison poison("spin:bad-1,sleep:bad-2");
  auto config = pool_config();
  config.decode.timeout_s = 0.25;
  WorkerPool pool(config);
  for (const char* id : {"bad-1", "bad-2"}) {
    const auto hung = decode_then_good(pool, id);
    EXPECT_EQ(hung.status, RowStatus::kTimedOut);
    EXPECT_EQ(hung.error, "decoding took longer than decode.timeout_s (0.25 s)");
  }
  EXPECT_EQ(pool.statistics().timed_out, 2U);
}

TEST_F(Death, APictureOfThousandsOfScansIsEndedInTime) {
  const auto file = test::shared_data() / "data" / "reports" / "slow-jpeg-ends-job" / "bomb0.jpg";
  QUASAR_REQUIRE_DATA(file);
  for (const bool honour_orientation : {false, true}) {
    auto config = pool_config();
    config.decode.timeout_s = 0.5;
    config.decode.honour_orientation = honour_orientation;
    WorkerPool pool(config);
    const auto slow = base::read_file(file);
    EXPECT_EQ(pool.decode(0, {.id = "slow"}, bytes_of(slow))->status, RowStatus::kTimedOut);
    EXPECT_EQ(decode_then_good(pool, "after").status, RowStatus::kOk);
  }
}

/// As when the whole job is suspended, or when others have the processors.
TEST_F(Death, AWorkerThatIsNotLetRunIsNotTimedOutForIt) {
  auto config = pool_config();
  config.decode.timeout_s = 0.25;
  WorkerPool pool(config);
  const std::string jpeg = scene_jpeg();
  const int process = pool.process(0);
  ::kill(process, SIGSTOP);
  std::thread waker([process] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ::kill(process, SIGCONT);
  });
  EXPECT_EQ(pool.decode(0, {}, bytes_of(jpeg))->status, RowStatus::kOk);
  waker.join();
  EXPECT_EQ(pool.statistics().restarts, 0U);
}

TEST_F(Death, WantOfMemoryIsNoCrash) {
#if defined(QUASAR_SANITIZED)
  GTEST_SKIP() << "sanitizers reserve more memory than any limit";
#endif
  const Poison poison("oom:bad");
  auto config = pool_config();
  config.memory = least_memory(1) + (std::uint64_t{100} << 20U);
  WorkerPool pool(config);
  const auto refused = decode_then_good(pool, "bad");
  EXPECT_EQ(refused.status, RowStatus::kOutOfMemory);
  EXPECT_THAT(refused.error, HasSubstr("164.0 MiB"));
  EXPECT_THAT(refused.error, HasSubstr("memory"));
  EXPECT_EQ(pool.gate().held(), 0U);
}

TEST_F(Death, WhatIsNoAnswerIsNotBelieved) {
  const Poison poison("lie:bad-sizes,wrong:bad-shape,babble:bad-message,greed:bad-twice");
  WorkerPool pool(pool_config());
  for (const char* id : {"bad-sizes", "bad-shape", "bad-message", "bad-twice"}) {
    const auto lied = decode_then_good(pool, id);
    EXPECT_EQ(lied.status, RowStatus::kCrashed) << id;
    EXPECT_EQ(lied.error, "decoding it made the decoder answer what is no answer") << id;
    EXPECT_TRUE(lied.image.pixels.empty());
  }
  EXPECT_EQ(pool.gate().held(), 0U);
}

TEST_F(Death, InterruptionEndsEveryCallAtOnce) {
  const Poison poison("sleep:*");
  constexpr int kWorkers = 2;
  WorkerPool pool(pool_config(kWorkers));
  const std::string jpeg = scene_jpeg();
  std::vector<std::thread> threads;
  threads.reserve(kWorkers);
  std::atomic<int> begun{0};
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      ++begun;
      EXPECT_FALSE(pool.decode(worker, {.id = "any"}, bytes_of(jpeg)).has_value());
      EXPECT_FALSE(pool.decode(worker, {.id = "any"}, bytes_of(jpeg)).has_value());
    });
  }
  while (begun < kWorkers) std::this_thread::yield();
  pool.interrupt();
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace quasar::decode
