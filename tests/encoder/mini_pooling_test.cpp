#include "encoder/mini_pooling.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <string>

#include "base/errors.h"
#include "encoder/mini.h"

namespace quasar::encoder {
namespace {

torch::Tensor drawn(torch::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::empty(shape, torch::kFloat32).normal_(0.0, 1.0, generator);
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor scale = b.to(torch::kFloat32).abs().max().clamp_min(1e-6);
  return ((a.to(torch::kFloat32) - b.to(torch::kFloat32)).abs().max() / scale).item<double>();
}

/// pool_channels as it is defined, differentiated by LibTorch.
torch::Tensor channels_by_definition(const torch::Tensor& x, std::int64_t side) {
  const torch::Tensor values = x.to(torch::kFloat32);
  const torch::Tensor mean = values.mean({2, 3});
  const torch::Tensor variance = values.square().mean({2, 3}) - mean.square();
  const torch::Tensor regions = at::avg_pool2d(values, side).flatten(2);
  return at::cat({at::log(mean + 1e-3), 0.5 * at::log(at::clamp_min(variance, 0) + 1e-5),
                  0.25 * at::log(regions.square().square().mean(2) + 1e-10), at::log(regions + 1e-3).mean(2)},
                 1);
}

/// Values and gradients of a function of one tensor, under weights that tell its outputs apart.
struct Result {
  torch::Tensor values;
  torch::Tensor gradient;
};

template <typename Function>
Result run(const torch::Tensor& x, const Function& function) {
  torch::Tensor leaf = x.detach().clone(at::MemoryFormat::Preserve).requires_grad_(true);
  const torch::Tensor values = function(leaf);
  torch::autograd::backward({(values * drawn(values.sizes(), 3)).sum()}, {});
  return {values.detach(), leaf.grad()};
}

struct ChannelsCase {
  std::int64_t n, c, h, w, side;
};

TEST(MiniPooling, ChannelsAreAsDefinedForwardsAndBackwards) {
  // Also pictures that are no multiple of a region, one region, and channels that are no multiple of a
  // vector.
  for (const auto& shape : {ChannelsCase{2, 24, 48, 32, 16}, ChannelsCase{1, 5, 17, 23, 8},
                            ChannelsCase{3, 96, 7, 9, 2}, ChannelsCase{1, 1, 8, 8, 8}}) {
    for (const bool channels_last : {false, true}) {
      const std::string what = std::to_string(shape.c) + " channels of " + std::to_string(shape.h) + "x" +
                               std::to_string(shape.w) + (channels_last ? ", channels last" : "");
      torch::Tensor x = at::relu(drawn({shape.n, shape.c, shape.h, shape.w}, 1) + 0.3);
      if (channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
      const auto ours = run(x, [&](const torch::Tensor& t) { return pool_channels(t, shape.side); });
      const auto theirs =
          run(x, [&](const torch::Tensor& t) { return channels_by_definition(t, shape.side); });
      ASSERT_EQ(ours.values.sizes(), theirs.values.sizes()) << what;
      EXPECT_LT(difference(ours.values, theirs.values), 1e-5) << what;
      EXPECT_LT(difference(ours.gradient, theirs.gradient), 1e-5) << what;
    }
  }
}

TEST(MiniPooling, ChannelsInBfloat16AreSummedInFloat32) {
  const torch::Tensor x = at::relu(drawn({2, 24, 32, 32}, 1)).to(torch::kBFloat16);
  const auto ours = run(x, [](const torch::Tensor& t) { return pool_channels(t, 16); });
  const auto theirs = run(x, [](const torch::Tensor& t) { return channels_by_definition(t, 16); });
  EXPECT_EQ(ours.values.scalar_type(), torch::kFloat32);
  EXPECT_EQ(ours.gradient.scalar_type(), torch::kBFloat16);
  EXPECT_LT(difference(ours.values, theirs.values), 1e-5);
  // The operators round the parts of the gradient to bfloat16 before they add them.
  EXPECT_LT(difference(ours.gradient, theirs.gradient), 2e-2);
}

TEST(MiniPooling, AChannelThatIsZeroHasFiniteNumbersAndGradients) {
  const auto result =
      run(torch::zeros({1, 3, 16, 16}), [](const torch::Tensor& t) { return pool_channels(t, 8); });
  EXPECT_TRUE(at::isfinite(result.values).all().item<bool>());
  EXPECT_TRUE(at::isfinite(result.gradient).all().item<bool>());
}

TEST(MiniPooling, TonesAreWhatTheOperatorsGiveForwardsAndBackwards) {
  const torch::Tensor pixels = drawn({3, 3, 65, 130}, 1);
  const torch::Tensor weight = drawn({32, 3}, 2);
  const torch::Tensor bias = drawn({32}, 4);
  for (const bool of_weight : {true, false}) {
    const auto with = [&](const auto& pool) {
      return run(of_weight ? weight : bias, [&](const torch::Tensor& t) {
        return of_weight ? pool(pixels, t, bias) : pool(pixels, weight, t);
      });
    };
    const auto ours = with(pool_tones);
    const auto theirs = with(pool_tones_by_operators);
    ASSERT_EQ(ours.values.sizes(), theirs.values.sizes());
    EXPECT_LT(difference(ours.values, theirs.values), 1e-5);
    EXPECT_LT(difference(ours.gradient, theirs.gradient), 1e-4);
  }
}

/// A picture's numbers do not depend on what else is in its batch.
TEST(MiniPooling, APictureAloneHasTheSameBits) {
  const torch::Tensor x = at::relu(drawn({4, 48, 33, 40}, 1));
  const torch::Tensor pixels = drawn({4, 3, 66, 80}, 1);
  const torch::Tensor weight = drawn({32, 3}, 2);
  const torch::Tensor bias = drawn({32}, 4);
  const torch::Tensor all = pool_channels(x, 8);
  const torch::Tensor tones = pool_tones(pixels, weight, bias);
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(pool_channels(x.slice(0, i, i + 1), 8).equal(all.slice(0, i, i + 1)));
    EXPECT_TRUE(pool_tones(pixels.slice(0, i, i + 1), weight, bias).equal(tones.slice(0, i, i + 1)));
  }
}

TEST(Mini, WeightsThatHoldNoNumberAreRefusedByName) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto weights = random_mini_weights(1);
    auto& [name, tensor] = *weights.begin();
    tensor.view({-1})[3].fill_(value);
    try {
      make_mini(weights);
      ADD_FAILURE() << "taken";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace quasar::encoder
