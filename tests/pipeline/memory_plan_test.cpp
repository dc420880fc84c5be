#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/config_node.h"
#include "base/errors.h"
#include "decode/worker_pool.h"

namespace quasar::pipeline {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

base::InputSpec cropped(int side) {
  base::InputSpec input;
  input.resize = base::ResizeRule::kShorterSide;
  input.size = side;
  input.center_crop = true;
  return input;
}

/// Of an encoder on the CPU that takes 40 floats for each sample of a picture.
MemoryDemand demand_of(const base::InputSpec& input) {
  MemoryDemand demand;
  demand.input = input;
  demand.dimension = 64;
  demand.encode_bytes = [](int count, int height, int width) {
    return static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(height) *
           static_cast<std::uint64_t>(width) * 3 * 160;
  };
  demand.encode_calls = [](int threads) { return threads; };
  return demand;
}

std::uint64_t embed_bytes(const base::InputSpec& input, int batch_size) {
  RunConfig config;
  config.encoder.batch_size = batch_size;
  config.embed.encode_threads = 1;
  config.embed.decode_threads = 1;
  auto demand = demand_of(input);
  demand.largest_shard = 100;
  return plan_memory(config, demand).stages.at(0).bytes;
}

TEST(MemoryPlan, PicturesOfOneShapeAreEncodedAsABatch) {
  const auto few = embed_bytes(cropped(224), 8);
  const auto many = embed_bytes(cropped(224), 64);
  // Activations of 56 more pictures of 224 x 224, some 24 MB each.
  EXPECT_GT(many, few + 1000 * kMiB);
}

TEST(MemoryPlan, PicturesOfManyShapesAreEncodedOneByOne) {
  auto free = cropped(512);
  free.resize = base::ResizeRule::kShorterSideAtMost;
  free.center_crop = false;
  EXPECT_EQ(embed_bytes(free, 8), embed_bytes(free, 64));
}

TEST(MemoryPlan, NativeResolutionCountsWithLargePictures) {
  base::InputSpec native;
  native.resize = base::ResizeRule::kNone;
  native.center_crop = false;
  EXPECT_GT(embed_bytes(native, 1), embed_bytes(cropped(512), 1));
}

TEST(MemoryPlan, WhatOnePictureMayTakeFollowsFromTheLimitAlone) {
  auto free = cropped(512);
  free.resize = base::ResizeRule::kShorterSideAtMost;
  free.center_crop = false;
  RunConfig config;
  config.memory = 4096 * static_cast<std::int64_t>(kMiB);
  auto demand = demand_of(free);
  demand.process = 200 * kMiB;
  for (const int threads : {1, 2, 8}) {
    demand.threads = threads;
    const auto plan = plan_memory(config, demand);
    EXPECT_EQ(plan.embed.encode_most, 2048 * kMiB);
    EXPECT_GE(plan.embed.encode, plan.embed.encode_most);
    EXPECT_EQ(plan.embed.decode - decode::least_memory(threads) + decode::kStandingBytes, 512 * kMiB);
    EXPECT_LE(plan.peak(), 4096 * kMiB);
  }
}

TEST(MemoryPlan, CallsThatAGpuTakesOneByOneCountOnce) {
  RunConfig config;
  config.embed.decode_threads = 1;
  config.embed.encode_threads = 8;
  auto demand = demand_of(cropped(224));
  const auto on_cpu = plan_memory(config, demand).stages.at(0).bytes;
  demand.encode_calls = [](int) { return 1; };
  EXPECT_LT(plan_memory(config, demand).stages.at(0).bytes, on_cpu / 2);
}

TEST(MemoryPlan, ALimitThatCannotBeKeptNamesTheLeastThatCan) {
  RunConfig config;
  config.memory = 10 << 20;
  auto demand = demand_of(cropped(224));
  demand.process = 100 * kMiB;
  try {
    plan_memory(config, demand);
    FAIL() << "10 MiB were taken for enough";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), testing::HasSubstr("set memory to at least"));
  }
}

/// What a limit is refused with; empty when it is kept.
std::string refusal(RunConfig config, std::int64_t limit, const MemoryDemand& demand) {
  config.memory = limit;
  if (config.halved_for_ranking)
    config.curation.memory = std::clamp(limit / 2, curation::kLeastMemory, curation::CurationConfig{}.memory);
  try {
    plan_memory(config, demand);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(MemoryPlan, TheLeastThatIsNamedParsesAndIsEnoughForEveryStage) {
  auto demand = demand_of(cropped(224));
  for (const bool halved : {false, true}) {
    for (const std::uint64_t process : {100 * kMiB, 700 * kMiB + 12345, 3000 * kMiB}) {
      RunConfig config;
      config.encoder.batch_size = 2;
      config.halved_for_ranking = halved;
      config.curation.memory = halved ? config.curation.memory : 64 << 20;
      demand.process = process;
      const auto text = refusal(config, 80 << 20, demand);
      const std::string words = "set memory to at least ";
      const auto place = text.find(words);
      ASSERT_NE(place, std::string::npos) << text;
      const auto size = text.substr(place + words.size(), text.find(',', place) - place - words.size());
      const auto limit =
          base::ConfigNode::parse_text("memory: " + size, "c.yaml").require<std::int64_t>("memory");
      // The process may be a little larger at the next start.
      demand.process += process / 100;
      EXPECT_EQ(refusal(config, limit, demand), "") << text;
      EXPECT_LT(static_cast<std::uint64_t>(limit), 3 * (process + 1500 * kMiB)) << text;
    }
  }
}

TEST(MemoryPlan, BalancingIsCountedWithItsRowsAndClusters) {
  RunConfig config;
  config.curation.balance.clusters.levels = {2000, 20};
  config.curation.memory = 1 << 30;
  auto demand = demand_of(cropped(224));
  demand.dimension = 768;
  demand.largest_share = 1'000'000;
  const auto rank_of = [&] { return plan_memory(config, demand).stages.back(); };
  EXPECT_EQ(rank_of().bytes, 1024 * kMiB);
  EXPECT_THAT(rank_of().note, testing::HasSubstr("of which curation.balance needs "));
  EXPECT_THAT(rank_of().note, testing::HasSubstr("76.3 MiB of 1,000,000 rows"));
  const auto refused = [&] {
    try {
      rank_of();
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kConfig);
      return std::string(error.what());
    }
    return std::string();
  };
  demand.largest_share = 100'000'000;
  EXPECT_THAT(refused(), testing::HasSubstr("curation.memory: 1.0 GiB is not enough to balance 100,000,000 "
                                            "rows on a rank in 2,000 clusters of 768 values"));
  // What is named is enough.
  const auto text = refused();
  const std::string words = "set it to at least ";
  const auto place = text.find(words) + words.size();
  config.curation.memory =
      base::ConfigNode::parse_text("memory: " + text.substr(place, text.find(',', place) - place), "c.yaml")
          .require<std::int64_t>("memory");
  EXPECT_EQ(refused(), "");
  config.curation.memory = 16 << 20;
  demand.largest_share = 10;
  EXPECT_THAT(refused(), testing::HasSubstr("16.0 MiB is not enough"));
}

TEST(MemoryPlan, TheAdviceLeavesOutWhatTheRunDirectoryHasSettled) {
  auto demand = demand_of(cropped(224));
  demand.process = 100 * kMiB;
  const RunConfig config;
  EXPECT_THAT(
      refusal(config, 80 << 20, demand),
      testing::EndsWith(", or lower encoder.batch_size, embed.decode_threads, embed.encode_threads or "
                        "corpus.shard_size"));
  demand.shards_frozen = true;
  demand.batch_size_frozen = true;
  EXPECT_THAT(refusal(config, 80 << 20, demand),
              testing::EndsWith(", or lower embed.decode_threads or embed.encode_threads"));
}

}  // namespace
}  // namespace quasar::pipeline
