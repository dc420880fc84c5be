#include "encoder/batch_limit.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <vector>

namespace quasar::encoder {
namespace {

/// A device whose memory holds a few rows; a row's result is its number.
struct SmallDevice {
  std::int64_t most = 0;
  std::vector<std::int64_t> tried = {};

  torch::Tensor operator()(std::int64_t first, std::int64_t count) {
    tried.push_back(count);
    TORCH_CHECK(count <= most, "CUDA out of memory. Tried to allocate 2.00 GiB");
    return at::arange(first, first + count, torch::kFloat32).view({count, 1});
  }
};

torch::Tensor numbers(std::int64_t rows) {
  return at::arange(rows, torch::kFloat32).view({rows, 1});
}

TEST(BatchLimit, ABatchThatFitsRunsInOnePart) {
  SmallDevice device{32};
  BatchLimit limit;
  EXPECT_TRUE(at::equal(limit.run(32, std::ref(device)), numbers(32)));
  EXPECT_EQ(device.tried, std::vector<std::int64_t>{32});
  EXPECT_EQ(limit.limit(), 0);
}

TEST(BatchLimit, HalvesUntilItFitsAndLosesNoRow) {
  SmallDevice device{9};
  BatchLimit limit;
  EXPECT_TRUE(at::equal(limit.run(37, std::ref(device)), numbers(37)));
  EXPECT_EQ(device.tried, (std::vector<std::int64_t>{37, 18, 9, 9, 9, 9, 1}));
}

TEST(BatchLimit, RemembersWhatFitted) {
  SmallDevice device{8};
  BatchLimit limit;
  limit.run(32, std::ref(device));
  EXPECT_EQ(limit.limit(), 8);
  device.tried.clear();
  EXPECT_TRUE(at::equal(limit.run(32, std::ref(device)), numbers(32)));
  EXPECT_EQ(device.tried, (std::vector<std::int64_t>{8, 8, 8, 8}));
}

TEST(BatchLimit, BacksOffAgainWhenMemoryGetsTighter) {
  SmallDevice device{8};
  BatchLimit limit;
  limit.run(16, std::ref(device));
  device.most = 3;
  EXPECT_TRUE(at::equal(limit.run(16, std::ref(device)), numbers(16)));
  EXPECT_EQ(limit.limit(), 2);
}

TEST(BatchLimit, ASinglePictureThatDoesNotFitIsAnError) {
  SmallDevice device{0};
  BatchLimit limit;
  EXPECT_THROW(limit.run(4, std::ref(device)), c10::Error);
  EXPECT_EQ(device.tried, (std::vector<std::int64_t>{4, 2, 1}));
}

TEST(BatchLimit, OtherFailuresAreNotRetried) {
  int calls = 0;
  const auto broken = [&](std::int64_t, std::int64_t) -> torch::Tensor {
    ++calls;
    TORCH_CHECK(false, "CUDA error: an illegal memory access was encountered");
  };
  BatchLimit limit;
  EXPECT_THROW(limit.run(4, broken), c10::Error);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace quasar::encoder
