// Programs that the user names, run as the encoder: what they may return, and how a wrong one is explained.
#include "encoder/torchscript_network.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/graph_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/types.h>

#include <fstream>

#include "base/errors.h"
#include "encoder/make_encoder.h"
#include "support/test_data.h"

namespace quasar::encoder {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kSide = 8;

class TorchScript : public testing::Test {
 protected:
  /// A saved module with one weight, 2, and this body of forward(self, x).
  std::filesystem::path saved(const std::string& body) {
    torch::jit::Module module("Encoder");
    module.register_parameter("scale", torch::full({1}, 2.0F), false);
    module.define("def forward(self, x):\n    " + body + "\n");
    module.save((folder_ / "encoder.pt").string());
    return folder_ / "encoder.pt";
  }

  torch::Tensor run(const std::string& body, const ScriptOutput& output = {}) {
    return load_torchscript(saved(body), output, kSide, ScriptMode::kAsSaved)
        ->forward(torch::ones({2, 3, kSide, kSide}));
  }

  std::string error_of(const std::string& body, const ScriptOutput& output = {}) {
    try {
      run(body, output);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr((folder_ / "encoder.pt").string()));
      return error.what();
    }
    return "(no error)";
  }

  test::ScratchFolder folder_;
};

TEST_F(TorchScript, TakesRowsTokensAndMaps) {
  const torch::Tensor rows = run("return x.mean([2, 3]) * self.scale");
  EXPECT_EQ(rows.sizes(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(rows[1][2].item<float>(), 2.0F);
  // Of tokens the first; of a map its mean.
  EXPECT_EQ(run("return x.flatten(2).cumsum(1)")[0][0].item<float>(), 1.0F);
  EXPECT_EQ(run("return x * self.scale").sizes(), (std::vector<std::int64_t>{2, 3}));
}

TEST_F(TorchScript, RunsTheOperationsAsTheyWereExported) {
  // What LibTorch does by itself on a GPU: compile a kernel of its own for these two operations.
  const bool before = torch::jit::canFuseOnCPULegacy();
  torch::jit::overrideCanFuseOnCPULegacy(true);
  const auto network = load_torchscript(saved("return (x * self.scale).sigmoid().mean([2, 3])"), {}, kSide,
                                        ScriptMode::kAsSaved);
  network->forward(torch::ones({2, 3, kSide, kSide}));
  torch::jit::overrideCanFuseOnCPULegacy(before);
  const auto executed = torch::jit::lastExecutedOptimizedGraph();
  ASSERT_NE(executed, nullptr);
  EXPECT_THAT(executed->toString(), AllOf(HasSubstr("aten::sigmoid"), Not(HasSubstr("FusionGroup"))));
}

TEST_F(TorchScript, TakesOnePartOfSeveral) {
  const std::string pair = "return (x.mean([2, 3]), x.mean([2, 3]) * self.scale)";
  EXPECT_EQ(run(pair, {"", 1})[0][0].item<float>(), 2.0F);
  EXPECT_THAT(error_of(pair, {"", 2}),
              HasSubstr("returns 2 values, none a tensor at encoder.output.index 2"));
  EXPECT_THAT(error_of(pair), HasSubstr("encoder.output.key or .index"));
  const std::string named = "return {'embedding': x.mean([2, 3])}";
  EXPECT_EQ(run(named, {"embedding", -1}).size(1), 3);
  EXPECT_THAT(error_of(named, {"other", -1}), HasSubstr("a dictionary without a tensor \"other\""));
}

TEST_F(TorchScript, ExplainsWhatIsNoEncoder) {
  EXPECT_THAT(error_of("return x.flatten()"), HasSubstr("gives a tensor [192]; [n, d]"));
  EXPECT_THAT(error_of("return x.reshape(1, 3, -1).sum(2).expand(5, 3)"),
              HasSubstr("for one picture; [1, d]"));
  EXPECT_THAT(error_of("return x.view(7, 7)"),
              AllOf(HasSubstr("fails on pixels [1, 3, 8, 8]"), HasSubstr("encoder.size")));
}

TEST_F(TorchScript, ExplainsWhatIsNoTorchScript) {
  std::ofstream(folder_ / "weights.pt") << "no archive";
  try {
    load_torchscript(folder_ / "weights.pt", {}, kSide, ScriptMode::kAsSaved);
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("is no TorchScript module that this LibTorch can load"));
  }
}

TEST_F(TorchScript, EncodesBytesThroughTheConfiguration) {
  EncoderConfig config;
  config.architecture = "torchscript";
  config.weights = saved("return x.mean([2, 3]) * self.scale");
  config.device = DeviceKind::kCpu;
  config.input = base::InputSpec{.size = kSide, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}};
  const auto encoder = make_encoder(config, 0);
  const std::vector<std::uint8_t> white(std::size_t{kSide} * kSide * 3, 255);
  std::vector<float> embedding(3);
  encoder->encode({1, kSide, kSide, white}, embedding);
  EXPECT_EQ(embedding, (std::vector<float>{2.0F, 2.0F, 2.0F}));
  EXPECT_EQ(encoder->identity().architecture, "torchscript, optimized");
  config.optimize = false;
  EXPECT_EQ(make_encoder(config, 0)->identity().architecture, "torchscript")
      << "as files of before have it, which were made so";
}

TEST_F(TorchScript, OnTheCpuGetsAsManyPicturesAsCachesHold) {
  constexpr int kLarge = 224;
  EncoderConfig config;
  config.architecture = "torchscript";
  config.weights = saved("return torch.ones([x.size(0), 1]) * x.size(0) * self.scale");
  config.device = DeviceKind::kCpu;
  config.optimize = false;
  config.input = base::InputSpec{.size = kLarge};
  const auto encoder = make_encoder(config, 0);
  const std::vector<std::uint8_t> grey(std::size_t{10} * kLarge * kLarge * 3, 128);
  std::vector<float> rows(10);
  encoder->encode({10, kLarge, kLarge, grey}, rows);
  EXPECT_EQ(rows, (std::vector<float>{8, 8, 8, 8, 8, 8, 8, 8, 4, 4})) << "twice how many came together";
  EXPECT_THAT(encoder->computed_on(), HasSubstr("in batches of at most 200704 pixels"));
  EXPECT_LE(encoder->working_memory(1000, kLarge, kLarge).host,
            encoder->working_memory(4, kLarge, kLarge).host + 16 * 1000);
}

/// A convolution with its normalisation, as networks are made of.
std::filesystem::path saved_convolution(const std::filesystem::path& file) {
  torch::manual_seed(7);
  torch::jit::Module module("Encoder");
  module.register_attribute("training", c10::BoolType::get(), true);  // As every exported module has.
  module.register_parameter("weight", torch::randn({8, 3, 3, 3}), false);
  module.register_parameter("bias", torch::randn({8}), false);
  for (const char* name : {"gain", "shift", "mean"}) module.register_buffer(name, torch::randn({8}));
  module.register_buffer("variance", torch::rand({8}) + 0.5);
  module.define(R"(
def forward(self, x):
    y = torch.conv2d(x, self.weight, self.bias, 1, 1)
    y = torch.batch_norm(y, self.gain, self.shift, self.mean, self.variance, False, 0.1, 1e-5, False)
    return torch.relu(y).mean([2, 3])
)");
  module.save(file.string());
  return file;
}

TEST_F(TorchScript, OptimizedGivesTheSameUpToRoundingForEveryShape) {
  const auto file = saved_convolution(folder_ / "convolution.pt");
  const auto plain = load_torchscript(file, {}, kSide, ScriptMode::kAsSaved);
  const auto optimized = load_torchscript(file, {}, kSide, ScriptMode::kOptimized);
  optimized->to(torch::kCPU, torch::kFloat32);
  EXPECT_EQ(optimized->parameter_count(), plain->parameter_count());
  for (const int side : {kSide, 13, 64}) {
    const auto pixels = torch::randn({3, 3, side, side}).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto expected = plain->forward(pixels);
    const auto found = optimized->forward(pixels);
    EXPECT_LE((found - expected).norm().item<double>(), 1e-5 * expected.norm().item<double>()) << side;
    EXPECT_TRUE(torch::equal(found, optimized->forward(pixels))) << "the first call as later ones";
    EXPECT_TRUE(torch::equal(found, optimized->forward(pixels)));
  }
  const auto executed = torch::jit::lastExecutedOptimizedGraph();
  ASSERT_NE(executed, nullptr);
  EXPECT_THAT(executed->toString(), Not(HasSubstr("aten::batch_norm"))) << "folded";
}

TEST_F(TorchScript, WhatCannotBeOptimizedIsRefusedWithTheKeyThatHelps) {
  // A module that counts its calls: frozen, it would count no more.
  torch::jit::Module module("Encoder");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("calls", c10::IntType::get(), 0);
  module.define(
      "def forward(self, x):\n    self.calls = self.calls + 1\n    return x.mean([2, 3]) * self.calls\n");
  module.save((folder_ / "counting.pt").string());
  const auto network = load_torchscript(folder_ / "counting.pt", {}, kSide, ScriptMode::kOptimized);
  try {
    network->to(torch::kCPU, torch::kFloat32);
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("counting.pt"), HasSubstr("encoder.optimize: false")));
  }
}

}  // namespace
}  // namespace quasar::encoder
