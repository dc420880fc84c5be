#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/config_node.h"
#include "base/errors.h"

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

std::uint64_t embed_bytes(const base::InputSpec& input, int batch_size) {
  RunConfig config;
  config.encoder.batch_size = batch_size;
  config.embed.encode_threads = 1;
  config.embed.decode_threads = 1;
  MemoryDemand demand;
  demand.input = input;
  demand.dimension = 64;
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
  const auto few = embed_bytes(free, 8);
  const auto many = embed_bytes(free, 64);
  // More pictures wait, as bytes; no more are encoded.
  EXPECT_GT(many, few);
  EXPECT_LT(many, few + 500 * kMiB);
}

TEST(MemoryPlan, NativeResolutionCountsWithLargePictures) {
  base::InputSpec native;
  native.resize = base::ResizeRule::kNone;
  native.center_crop = false;
  EXPECT_GT(embed_bytes(native, 1), embed_bytes(cropped(512), 1));
}

TEST(MemoryPlan, ALimitThatCannotBeKeptNamesTheLeastThatCan) {
  RunConfig config;
  config.memory = 10 << 20;
  MemoryDemand demand;
  demand.input = cropped(224);
  demand.dimension = 64;
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
  MemoryDemand demand;
  demand.input = cropped(224);
  demand.dimension = 64;
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
      EXPECT_LT(static_cast<std::uint64_t>(limit), 2 * (process + 1500 * kMiB)) << text;
    }
  }
}

TEST(MemoryPlan, TheAdviceLeavesOutWhatTheRunDirectoryHasSettled) {
  MemoryDemand demand;
  demand.input = cropped(224);
  demand.dimension = 64;
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
