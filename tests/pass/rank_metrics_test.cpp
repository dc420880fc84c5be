#include "pass/rank_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "support/test_data.h"

namespace quasar::pass {
namespace {

std::string some_metrics(int rank, bool finished) {
  RankMetrics metrics;
  metrics.images[static_cast<std::size_t>(base::RowStatus::kOk)] = 120;
  metrics.images[static_cast<std::size_t>(base::RowStatus::kDecodeFailed)] = 3;
  metrics.bytes_read = (std::uint64_t{1} << 60U) + 1;
  metrics.shards = 2;
  for (std::size_t i = 0; i < kDoings; ++i)
    metrics.threads.add(static_cast<Doing>(i), std::chrono::milliseconds(250 * (i + 1)));
  return to_prometheus(metrics, {rank, 12.5, 1.7e9, finished, {1, 6, 2, 1}});
}

TEST(RankMetrics, AreReadBackAsTheyWereWritten) {
  const auto found = from_prometheus(some_metrics(3, true));
  EXPECT_EQ(found.images.size(), 2U);
  EXPECT_EQ(found.images.at(base::RowStatus::kOk), 120U);
  EXPECT_EQ(found.images.at(base::RowStatus::kDecodeFailed), 3U);
  EXPECT_EQ(found.bytes_read, (std::uint64_t{1} << 60U) + 1) << "whole, and not through a double";
  EXPECT_EQ(found.shards, 2U);
  for (std::size_t i = 0; i < kDoings; ++i)
    EXPECT_DOUBLE_EQ(found.thread_s[i], 0.25 * static_cast<double>(i + 1));
  EXPECT_EQ(found.crew.decode_threads, 6);
  EXPECT_EQ(found.crew.encode_threads, 2);
  EXPECT_EQ(found.crew.gpu_ranks, 1);
  EXPECT_DOUBLE_EQ(found.elapsed_s, 12.5);
  EXPECT_DOUBLE_EQ(found.written_at, 1.7e9);
  EXPECT_TRUE(found.finished);
  EXPECT_FALSE(from_prometheus(some_metrics(3, false)).finished);
}

TEST(RankMetrics, OfRanksAddUp) {
  const std::vector<MetricsSnapshot> ranks = {from_prometheus(some_metrics(0, true)),
                                              from_prometheus(some_metrics(1, false))};
  const auto work = work_of(ranks);
  EXPECT_DOUBLE_EQ(at(work.time, Doing::kReading), 0.5);
  EXPECT_DOUBLE_EQ(at(work.time, Doing::kAwaitingShard), 4.5);
  EXPECT_EQ(work.crew.ranks, 2);
  EXPECT_EQ(work.crew.decode_threads, 12);
  EXPECT_EQ(work.images, 246);
}

TEST(RankMetrics, FollowPrometheussTextFormat) {
  std::istringstream lines(some_metrics(7, false));
  std::string family;
  bool typed = false;
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      typed = false;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_THAT(line, testing::AnyOf("# TYPE " + family + " counter", "# TYPE " + family + " gauge"));
      typed = true;
    } else {
      EXPECT_TRUE(typed && line.starts_with(family + "{rank=\"7\"")) << line;
      ++samples;
    }
  }
  EXPECT_GE(samples, 10);
}

TEST(RankMetrics, AClockAddsLapsUp) {
  ThreadClock clock;
  { const ThreadClock::Lap one(clock, Doing::kWriting); }
  const double once = at(clock.seconds(), Doing::kWriting);
  EXPECT_GT(once, 0);
  { const ThreadClock::Lap another(clock, Doing::kWriting); }
  EXPECT_GT(at(clock.seconds(), Doing::kWriting), once);
  EXPECT_EQ(at(clock.seconds(), Doing::kReading), 0);
}

TEST(RankMetrics, ForeignAndDamagedLinesArePassedOver) {
  const auto whole = some_metrics(0, true);
  for (std::size_t size = 0; size < whole.size(); size += 7) from_prometheus(whole.substr(0, size));
  const auto found = from_prometheus(
      "node_load1 0.5\nquasar_embed_shards_total\nquasar_embed_shards_total{rank=\"0\"}\n}{ 1\n"
      "quasar_embed_images_total{rank=\"0\",status=\"melted\"} 4\n"
      "quasar_embed_images_total{rank=\"0\",status=\"ok} 4\n"
      "quasar_embed_read_bytes_total{rank=\"0\"} many\nquasar_embed_shards_total{rank=\"0\"} 6\n");
  EXPECT_TRUE(found.images.empty());
  EXPECT_EQ(found.bytes_read, 0U);
  EXPECT_EQ(found.shards, 6U);
}

TEST(RankMetrics, OfAFolderComeInTheOrderOfRanks) {
  const test::ScratchFolder scratch;
  for (const char* name :
       {"rank-10.prom", "rank-9.prom", "rank-0.prom", "part-1-rank-0.prom", ".rank-1.prom", "rank-2.txt"})
    std::ofstream(scratch / name) << some_metrics(0, true);
  std::vector<std::string> names;
  for (const auto& snapshot : read_metrics(scratch.path())) names.push_back(snapshot.name);
  EXPECT_THAT(names, testing::ElementsAre("rank-0", "rank-9", "rank-10", "part-1-rank-0"));
  EXPECT_TRUE(read_metrics(scratch / "none").empty());
}

}  // namespace
}  // namespace quasar::pass
