// What the CPU computes, on a GPU: skipped where there is none.
#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "encoder/golden_case.h"
#include "encoder/gpu_arithmetic.h"
#include "encoder/make_encoder.h"
#include "encoder/mini_pooling.h"
#include "encoder/network_factory.h"
#include "encoder/random_weights.h"
#include "encoder/torch_encoder.h"

namespace quasar::encoder {
namespace {

const torch::Device kGpu(torch::kCUDA, 0);

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_available()) GTEST_SKIP() << "LibTorch sees no CUDA device here";
    compute_as_named_and_repeatably();
  }
};

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.cpu().to(torch::kFloat64) - b.cpu().to(torch::kFloat64)).abs().max().item<double>();
}

double least_cosine(const torch::Tensor& found, const torch::Tensor& expected) {
  const torch::Tensor a = found.cpu().to(torch::kFloat64);
  const torch::Tensor b = expected.cpu().to(torch::kFloat64);
  return ((a * b).sum(1) / (a.norm(2, {1}, false) * b.norm(2, {1}, false))).min().item<double>();
}

torch::Tensor drawn(torch::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::empty(shape, torch::kFloat32).normal_(0.0, 1.0, generator);
}

struct GoldenOnGpu {
  const char* folder;
  const char* preset;
  HeadCounts heads;
  const char* output;
};

TEST_F(Cuda, GivesTheReferenceEmbeddings) {
  const GoldenOnGpu cases[] = {
      {"clip_rn_tiny_b_res64", "clip-rn-any", {}, "quasar_pos_224"},
      {"openclip_vit_tiny_d_224_head20", "vit-any", {2}, "encode_image_224"},
      {"openclip_coca_tiny_b_224", "coca-any", {3, 4}, "encode_image_default_224"},
      {"dinov2_vit_tiny_c_swiglu", "dinov2-any", {3}, "out_224"},
  };
  for (const auto& c : cases) {
    const TensorMap values = golden_values(c.folder);
    const auto network = make_network(c.preset, golden_weights(c.folder), c.heads);
    network->to(kGpu, torch::kFloat32);
    const torch::Tensor found = network->forward(golden_input_224().to(kGpu));
    ASSERT_TRUE(found.is_cuda()) << c.folder;
    // With TensorFloat-32, which rounds to ten bits, it would be 1e-3.
    EXPECT_LE(largest_difference(found, values.at(c.output)), 1e-4) << c.folder;
    EXPECT_GE(least_cosine(found, values.at(c.output)), 1 - 1e-8) << c.folder;
  }
}

/// Made-up pictures [n, side, side, 3].
std::vector<std::uint8_t> pictures(int n, int side, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(n) * static_cast<std::size_t>(side) *
                                   static_cast<std::size_t>(side) * 3);
  for (auto& value : pixels) value = static_cast<std::uint8_t>(random.below(256));
  return pixels;
}

std::unique_ptr<TorchEncoder> made(const std::string& preset, torch::Device device, torch::ScalarType type) {
  return std::make_unique<TorchEncoder>(make_network(preset, random_weights(preset, 1)), base::InputSpec{},
                                        base::EncoderIdentity{preset, "", "", ""}, device, type);
}

torch::Tensor embeddings_of(Encoder& encoder, int n, int side, const std::vector<std::uint8_t>& pixels) {
  torch::Tensor rows = at::empty({n, encoder.dimension()}, torch::kFloat32);
  encoder.encode({n, side, side, pixels}, {rows.data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
  return rows;
}

TEST_F(Cuda, FullSizeEncodersAgreeWithTheCpuInEveryPrecision) {
  constexpr int kPictures = 3;
  const auto pixels = pictures(kPictures, 224, 1);
  for (const char* preset : {"clip-rn50", "vit-b-32", "dinov2-vit-s-14-reg"}) {
    const torch::Tensor expected =
        embeddings_of(*made(preset, torch::kCPU, torch::kFloat32), kPictures, 224, pixels);
    const auto found = [&](torch::ScalarType type) {
      return least_cosine(embeddings_of(*made(preset, kGpu, type), kPictures, 224, pixels), expected);
    };
    EXPECT_GE(found(torch::kFloat32), 1 - 1e-8) << preset;
    EXPECT_GE(found(torch::kFloat16), 0.999) << preset;
    EXPECT_GE(found(torch::kBFloat16), 0.99) << preset;
  }
}

TEST_F(Cuda, ThreadsThatUploadSideBySideGetTheirOwnRowsAndTheSameBitsEachTime) {
  const auto encoder = made("dinov2-vit-s-14", kGpu, torch::kBFloat16);
  constexpr int kThreads = 4;
  constexpr int kRounds = 8;
  std::vector<std::vector<std::uint8_t>> inputs;
  std::vector<torch::Tensor> expected;
  for (int t = 0; t < kThreads; ++t) {
    inputs.push_back(pictures(16, 224, 10 + static_cast<std::uint64_t>(t)));
    expected.push_back(embeddings_of(*encoder, 16, 224, inputs.back()));
  }
  std::vector<int> equal(kThreads, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        equal[t] += embeddings_of(*encoder, 16, 224, inputs[t]).equal(expected[t]) ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(kThreads, kRounds));
}

TEST_F(Cuda, ABatchThatDoesNotFitIsComputedInParts) {
  constexpr int kPictures = 512;
  const auto encoder = made("dinov2-vit-s-14", kGpu, torch::kFloat32);
  const auto pixels = pictures(kPictures, 224, 2);
  const torch::Tensor expected = embeddings_of(*encoder, kPictures, 224, pixels);
  {
    constexpr std::int64_t kBlock = std::int64_t{256} << 20;
    std::vector<torch::Tensor> taken;
    try {
      for (;;) taken.push_back(at::empty({kBlock}, torch::TensorOptions().dtype(torch::kUInt8).device(kGpu)));
    } catch (const c10::Error&) {
      ASSERT_GT(taken.size(), 6U);
      taken.resize(taken.size() - 6);
    }
    EXPECT_GE(least_cosine(embeddings_of(*encoder, kPictures, 224, pixels), expected), 1 - 1e-6);
  }
  EXPECT_GE(least_cosine(embeddings_of(*encoder, kPictures, 224, pixels), expected), 1 - 1e-6);
}

/// The encoder of the configuration on the CPU and on the GPU that `auto` finds.
void expect_as_on_the_cpu(EncoderConfig config) {
  const auto pixels = pictures(2, 224, 3);
  config.device = DeviceKind::kCpu;
  const torch::Tensor expected = embeddings_of(*make_encoder(config, 0), 2, 224, pixels);
  config.device = DeviceKind::kAuto;
  const auto encoder = make_encoder(config, 0);
  EXPECT_EQ(encoder->device(), "cuda:0");
  EXPECT_GE(least_cosine(embeddings_of(*encoder, 2, 224, pixels), expected), 1 - 1e-8);
}

TEST_F(Cuda, MiniRunsThere) {
  expect_as_on_the_cpu({});
}

TEST_F(Cuda, TorchScriptRunsThere) {
  const test::ScratchFolder folder;
  torch::jit::Module module("Encoder");
  module.register_parameter("scale", torch::full({1}, 2.0F), false);
  module.define("def forward(self, x):\n    return x.mean([2, 3]) * self.scale\n");
  EncoderConfig config;
  config.architecture = "torchscript";
  config.weights = folder.path() / "encoder.pt";
  module.save(config.weights.string());
  expect_as_on_the_cpu(config);
}

TEST_F(Cuda, PoolingIsThatOfTheCpuForwardsAndBackwards) {
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor x = at::relu(drawn({2, 24, 49, 35}, 1) + 0.3).to(type);
    const auto run = [&](torch::Device device) {
      torch::Tensor leaf = x.to(device).requires_grad_(true);
      const torch::Tensor values = pool_channels(leaf, 16);
      torch::autograd::backward({(values * drawn(values.sizes(), 3).to(device)).sum()}, {});
      return std::vector<torch::Tensor>{values.detach().cpu(), leaf.grad().cpu().to(torch::kFloat32)};
    };
    const auto ours = run(kGpu);
    const auto cpu = run(torch::kCPU);
    EXPECT_LE(largest_difference(ours[0], cpu[0]), 1e-4);
    const double tolerance = type == torch::kFloat32 ? 1e-5 : 2e-2;
    EXPECT_LE(largest_difference(ours[1], cpu[1]), tolerance * cpu[1].abs().max().item<double>());
  }
  const torch::Tensor pixels = drawn({2, 3, 65, 130}, 4);
  const torch::Tensor weight = drawn({32, 3}, 5);
  const torch::Tensor bias = drawn({32}, 6);
  EXPECT_LE(largest_difference(pool_tones(pixels.to(kGpu), weight.to(kGpu), bias.to(kGpu)),
                               pool_tones(pixels, weight, bias)),
            1e-4);
}

}  // namespace
}  // namespace quasar::encoder
