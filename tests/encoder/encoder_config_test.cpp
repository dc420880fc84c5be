// Encoders as the rest of the program sees them: a configuration in, embeddings of 8-bit pixels out.
#include "encoder/make_encoder.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <torch/types.h>

#include <random>

#include "base/checksum.h"
#include "base/errors.h"
#include "encoder/golden_case.h"
#include "encoder/network_factory.h"
#include "encoder/prompts.h"

namespace quasar::encoder {
namespace {

using testing::HasSubstr;

EncoderConfig tiny_vit() {
  EncoderConfig config;
  config.architecture = "vit-any";
  config.weights = test::encoder_golden_folder("openclip_vit_tiny_d_224_head20") / "weights.safetensors";
  config.heads.trunk = 2;
  config.device = DeviceKind::kCpu;
  return config;
}

EncoderConfig tiny_resnet(const std::string& architecture) {
  EncoderConfig config;
  config.architecture = architecture;
  config.weights = test::encoder_golden_folder("clip_rn_tiny_b_res64") / "weights_fp16mixed.safetensors";
  config.device = DeviceKind::kCpu;
  return config;
}

std::vector<std::uint8_t> noise(std::size_t bytes) {
  std::mt19937 random(3);
  std::vector<std::uint8_t> values(bytes);
  for (auto& value : values) value = static_cast<std::uint8_t>(random() & 255U);
  return values;
}

template <typename Action>
void expect_error(base::ExitCode code, const std::vector<std::string>& words, Action action) {
  try {
    action();
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const auto& word : words) EXPECT_THAT(error.what(), HasSubstr(word));
  }
}

/// encode() of random pictures against the network on pixels normalised here: what ties the golden cases,
/// which give normalised input, to the encoder.
void expect_as_network(const EncoderConfig& config, int count, int height, int width) {
  std::vector<std::uint8_t> pixels =
      noise(static_cast<std::size_t>(count) * static_cast<std::size_t>(height) *
            static_cast<std::size_t>(width) * 3);
  const auto encoder = make_encoder(config, 0);
  std::vector<float> found(static_cast<std::size_t>(count) * static_cast<std::size_t>(encoder->dimension()));
  encoder->encode({count, height, width, pixels}, found);

  const auto& spec = encoder->input_spec();
  const torch::Tensor bytes = torch::from_blob(pixels.data(), {count, height, width, 3}, torch::kUInt8);
  torch::Tensor input = bytes.permute({0, 3, 1, 2}).to(torch::kFloat64) / 255.0;
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    input.select(1, c).sub_(spec.mean[channel]).div_(spec.std[channel]);
  }
  const auto network =
      make_network(config.architecture, read_checkpoint(config.weights).tensors, config.heads);
  const torch::Tensor expected = network->forward(input.to(torch::kFloat32).contiguous());
  expect_golden(torch::from_blob(found.data(), expected.sizes(), torch::kFloat32), expected,
                config.architecture);
}

TEST(MakeEncoder, EncodesBytesAsTheNetworkDoesNormalisedPixels) {
  expect_as_network(tiny_vit(), 3, 224, 224);
  expect_as_network(tiny_resnet("clip-rn-any"), 2, 224, 224);
  // The tiny ResNet's whole-picture input: shorter side 512 and anything longer.
  expect_as_network(tiny_resnet("clip-rn-any-nopos"), 1, 512, 530);
}

TEST(MakeEncoder, TheIdentityTellsWeightsHeadsPreprocessingAndPrecision) {
  EncoderConfig config = tiny_vit();
  const base::EncoderIdentity first = make_encoder(config, 0)->identity();
  EXPECT_EQ(first.weights_sha256, base::sha256_file(config.weights));
  EXPECT_EQ(first.architecture, "vit-any, heads 2");
  EXPECT_EQ(first.dtype, "float32");
  EXPECT_EQ(make_encoder(config, 0)->identity(), first);
  config.heads.trunk = 4;
  EXPECT_NE(make_encoder(config, 0)->identity(), first);
  config = tiny_vit();
  config.precision = Precision::kBfloat16;
  EXPECT_NE(make_encoder(config, 0)->identity(), first);
  config = tiny_vit();
  config.input = base::InputSpec{.mean = {0.5, 0.5, 0.5}};
  EXPECT_NE(make_encoder(config, 0)->identity(), first);
}

TEST(MakeEncoder, Float16NeedsAGpu) {
  EncoderConfig config = tiny_vit();
  config.precision = Precision::kFloat16;
  expect_error(base::ExitCode::kConfig, {"encoder.precision", "float16 needs a GPU", "bfloat16"},
               [&] { make_encoder(config, 0); });
}

TEST(MakeEncoder, AMissingGpuIsAnErrorNotTheCpu) {
  EncoderConfig config = tiny_vit();
  config.device = DeviceKind::kCuda;
  config.device_index = cuda_available() ? 99 : -1;
  const std::string why = cuda_available()
                              ? "encoder.device asks for cuda:99"
                              : "a CUDA device is asked for, but LibTorch sees none on this machine";
  expect_error(base::ExitCode::kDevice, {why, "encoder.device"}, [&] { make_encoder(config, 0); });
}

TEST(MakeEncoder, WeightsThatAreNotNamedOrDoNotFitAreExplained) {
  EncoderConfig config = tiny_vit();
  config.weights.clear();
  expect_error(base::ExitCode::kConfig, {"encoder.weights is missing", "tools/fetch-weights"},
               [&] { make_encoder(config, 0); });
  config = tiny_vit();
  config.architecture = "vit-b-32";
  expect_error(
      base::ExitCode::kInput,
      {config.weights.string(), "visual.conv1.weight: the file has [40, 3, 14, 14], the preset [768, 3, 32"},
      [&] { make_encoder(config, 0); });
  config = tiny_vit();
  config.heads = {};  // 40 wide is less than one head of 64.
  expect_error(base::ExitCode::kInput, {config.weights.string(), "heads"}, [&] { make_encoder(config, 0); });
}

TEST(MakeEncoder, PicturesOfAnotherShapeAreRefused) {
  const auto encoder = make_encoder(tiny_vit(), 0);
  const auto pixels = noise(std::size_t{64} * 64 * 3);
  std::vector<float> embedding(static_cast<std::size_t>(encoder->dimension()));
  expect_error(base::ExitCode::kMismatch, {"64x64"}, [&] {
    encoder->encode({1, 64, 64, pixels}, embedding);
  });
}

TEST(EmbedPrompts, NeedsATextTowerAVocabularyAndTheSameFile) {
  EXPECT_TRUE(has_text_tower("clip-rn50-nopos"));
  EXPECT_TRUE(has_text_tower("coca-any"));
  for (const char* name : {"mini", "torchscript", "dinov2-vit-l-14-reg"}) EXPECT_FALSE(has_text_tower(name));
  EXPECT_THROW(has_text_tower("vit-l14"), base::Error);

  const std::vector<std::string> texts = {"Good photo."};
  EncoderConfig config = tiny_vit();
  expect_error(base::ExitCode::kConfig, {"encoder.vocabulary"}, [&] { embed_prompts(config, "", texts); });
  config.vocabulary = test::encoder_golden_folder("vocab") / "bpe_simple_vocab_16e6.txt.gz";
  expect_error(base::ExitCode::kMismatch, {config.weights.string(), "changed while it was in use"},
               [&] { embed_prompts(config, std::string(64, '0'), texts); });
  config.architecture = "mini";
  expect_error(base::ExitCode::kConfig, {"mini has no text tower"},
               [&] { embed_prompts(config, "", texts); });
}

}  // namespace
}  // namespace quasar::encoder
