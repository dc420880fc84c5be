#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace quasar::pipeline
