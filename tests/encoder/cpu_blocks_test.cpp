#include "encoder/cpu_blocks.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace quasar::encoder::cpu {
namespace {

torch::Tensor made(torch::IntArrayRef shape, double spread) {
  static at::Generator generator = at::detail::createCPUGenerator(11);
  return at::empty(shape, torch::kFloat32).normal_(0.0, spread, generator);
}

std::vector<Block> made_blocks(const BlockSizes& sizes, int count) {
  const std::int64_t d = sizes.width;
  const std::int64_t expanded = sizes.activation == Activation::kSwiGlu ? 2 * sizes.hidden : sizes.hidden;
  std::vector<Block> blocks;
  blocks.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    blocks.push_back({{made({d}, 1.0), made({d}, 0.3), 1e-5},
                      {made({3 * d, d}, 0.3), made({3 * d}, 0.3)},
                      {made({d, d}, 0.3), made({d}, 0.3)},
                      {made({d}, 1.0), made({d}, 0.3), 1e-6},
                      {made({expanded, d}, 0.3), made({expanded}, 0.3)},
                      {made({d, sizes.hidden}, 0.3), made({d}, 0.3)}});
  return blocks;
}

/// The definition, step by step in float64.
torch::Tensor reference(const std::vector<Block>& blocks, const BlockSizes& sizes, const torch::Tensor& input,
                        const torch::Tensor& mask, const Rotation* rotation = nullptr) {
  const auto wide = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
  const auto linear = [&](const Linear& layer, const torch::Tensor& x) {
    return at::matmul(x, wide(layer.weight).t()) + wide(layer.bias);
  };
  const auto norm = [&](const LayerNorm& layer, const torch::Tensor& x) {
    return at::layer_norm(x, {x.size(-1)}, wide(layer.weight), wide(layer.bias), layer.epsilon);
  };
  // As complex numbers: channel c is the real part, channel c + w / 2 the imaginary one.
  const auto turned = [&](const torch::Tensor& head) {
    if (rotation == nullptr) return head;
    const std::int64_t half = head.size(2) / 2;
    const torch::Tensor angle = at::cat({at::zeros({rotation->first, half}, torch::kFloat64),
                                         at::atan2(wide(rotation->sine), wide(rotation->cosine))});
    const torch::Tensor value = at::complex(head.narrow(2, 0, half), head.narrow(2, half, half)) *
                                at::polar(at::ones_like(angle), angle);
    return at::cat({at::real(value), at::imag(value)}, 2);
  };
  torch::Tensor x = wide(input);
  const std::int64_t w = sizes.width / sizes.heads;
  for (const Block& block : blocks) {
    const std::vector<torch::Tensor> qkv = linear(block.qkv, norm(block.norm1, x)).chunk(3, -1);
    std::vector<torch::Tensor> heads;
    for (std::int64_t h = 0; h < sizes.heads; ++h) {
      torch::Tensor scores =
          at::matmul(turned(qkv[0].narrow(2, h * w, w)), turned(qkv[1].narrow(2, h * w, w)).transpose(1, 2)) /
          std::sqrt(static_cast<double>(w));
      if (mask.defined()) scores = scores + wide(mask);
      heads.push_back(at::matmul(at::softmax(scores, -1), qkv[2].narrow(2, h * w, w)));
    }
    x = x + linear(block.projection, at::cat(heads, 2));
    torch::Tensor hidden = linear(block.expand, norm(block.norm2, x));
    if (sizes.activation == Activation::kSwiGlu) {
      hidden = at::silu(hidden.narrow(2, 0, sizes.hidden)) * hidden.narrow(2, sizes.hidden, sizes.hidden);
    } else {
      hidden = sizes.activation == Activation::kQuickGelu
                   ? at::silu(hidden)
                   : at::gelu(hidden, sizes.activation == Activation::kGelu ? "none" : "tanh");
    }
    x = x + linear(block.contract, hidden);
  }
  return x;
}

torch::Tensor causal_mask(std::int64_t tokens) {
  return at::full({tokens, tokens}, -std::numeric_limits<float>::infinity(), torch::kFloat32).triu(1);
}

void expect_reference(const BlockSizes& sizes, std::int64_t n, std::int64_t t, const torch::Tensor& mask) {
  const std::vector<Block> blocks = made_blocks(sizes, 2);
  const torch::Tensor x = made({n, t, sizes.width}, 1.0);
  const torch::Tensor wanted = reference(blocks, sizes, x, mask);
  const torch::Tensor found = cpu::run_blocks(blocks, sizes, x.clone(), mask);
  ASSERT_EQ(found.sizes(), x.sizes());
  ASSERT_EQ(found.scalar_type(), torch::kFloat32);
  if (n == 0) return;
  const double scale = wanted.abs().max().item<double>();
  EXPECT_LE((found.to(torch::kFloat64) - wanted).abs().max().item<double>(), 5e-6 * scale)
      << n << " pictures of " << t << " tokens";
}

TEST(CpuBlocks, ComputeTheDefinitionForEveryActivation) {
  for (const Activation activation :
       {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu, Activation::kSwiGlu})
    expect_reference({24, 40, 3, activation}, 3, 7, {});
}

TEST(CpuBlocks, TurnQueriesAndKeysOfPatches) {
  const BlockSizes sizes{24, 40, 3, Activation::kGelu, true};
  const torch::Tensor angles = made({700, 4}, 3.0);
  const Rotation rotation{angles.cos(), angles.sin(), 5};
  const std::vector<Block> blocks = made_blocks(sizes, 2);
  const torch::Tensor x = made({4, 705, 24}, 1.0);  // In parts.
  const torch::Tensor wanted = reference(blocks, sizes, x, {}, &rotation);
  const torch::Tensor found = encoder::run_blocks(blocks, sizes, x.clone(), {}, &rotation);
  EXPECT_LE((found.to(torch::kFloat64) - wanted).abs().max().item<double>(),
            5e-6 * wanted.abs().max().item<double>());
  EXPECT_GE((wanted - reference(blocks, sizes, x, {})).abs().max().item<double>(), 1e-3);
}

TEST(CpuBlocks, TakeAnyNumberOfPicturesAndTokens) {
  const BlockSizes sizes{12, 19, 2, Activation::kGelu};
  for (const std::int64_t n : {0, 1, 2})
    for (const std::int64_t t : {1, 2, 50}) expect_reference(sizes, n, t, {});
  expect_reference(sizes, 5, 600, {});   // Goes through the blocks in parts of 3 and 2.
  expect_reference(sizes, 1, 2100, {});  // One picture is more than a part should have.
}

TEST(CpuBlocks, KeepTheNaNsOfOnePictureFromTheOthers) {
  const BlockSizes sizes{12, 19, 2, Activation::kGelu};
  const std::vector<Block> blocks = made_blocks(sizes, 2);
  torch::Tensor x = made({3, 5, 12}, 1.0);
  x[1].fill_(std::numeric_limits<float>::quiet_NaN());
  const torch::Tensor found = cpu::run_blocks(blocks, sizes, x.clone(), {});
  EXPECT_TRUE(found[1].isnan().all().item<bool>());
  EXPECT_FALSE(found[0].isnan().any().item<bool>());
  EXPECT_FALSE(found[2].isnan().any().item<bool>());
}

TEST(CpuBlocks, AddTheMaskOfAllOrOfEachPicture) {
  const BlockSizes sizes{12, 19, 2, Activation::kQuickGelu};
  expect_reference(sizes, 3, 9, causal_mask(9));
  torch::Tensor own = causal_mask(700).expand({4, 700, 700}).clone();
  own[3].narrow(1, 1, 2).fill_(-std::numeric_limits<float>::infinity());
  expect_reference(sizes, 4, 700, own);  // Pictures of the second part find their own masks.
}

TEST(CpuBlocks, BFloat16StaysWithinItsRounding) {
  const BlockSizes sizes{32, 64, 4, Activation::kGelu};
  std::vector<Block> blocks = made_blocks(sizes, 2);
  for (Block& block : blocks)
    visit(block, [](torch::Tensor& tensor) { tensor = tensor.to(torch::kBFloat16); });
  ASSERT_TRUE(takes(blocks));
  const torch::Tensor x = made({2, 11, 32}, 1.0);
  const torch::Tensor wanted = reference(blocks, sizes, x, {}).flatten();
  const torch::Tensor found = cpu::run_blocks(blocks, sizes, x.clone(), {}).flatten().to(torch::kFloat64);
  EXPECT_LE(((found - wanted).norm() / wanted.norm()).item<double>(), 0.02);
}

TEST(CpuBlocks, LeaveHalfPrecisionToLibTorch) {
  std::vector<Block> blocks = made_blocks({8, 8, 1, Activation::kGelu}, 1);
  EXPECT_TRUE(takes(blocks));
  visit(blocks.front(), [](torch::Tensor& tensor) { tensor = tensor.to(torch::kFloat16); });
  EXPECT_FALSE(takes(blocks));
  EXPECT_FALSE(takes({}));
}

}  // namespace
}  // namespace quasar::encoder::cpu
