// Files that torch 2.6 wrote, against the same weights as safetensors.
#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/checksum.h"
#include "base/errors.h"
#include "encoder/checkpoint.h"
#include "support/test_data.h"

namespace quasar::encoder {
namespace {

using testing::AllOf;
using testing::HasSubstr;

void expect_same(const TensorMap& found, const TensorMap& expected) {
  for (const auto& [name, tensor] : found) EXPECT_TRUE(expected.contains(name)) << "unexpected " << name;
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    const torch::Tensor& read = found.at(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(read.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(read.is_contiguous()) << name;
    EXPECT_TRUE(read.is_cpu()) << name;
    EXPECT_TRUE(at::equal(read, tensor)) << name;
  }
}

TEST(CheckpointGolden, ViewsStridesAndEveryTypeOfATorchFile) {
  const Checkpoint read = read_checkpoint(test::test_file("golden/checkpoints/tricky.state_dict.pt"));
  EXPECT_EQ(read.container, "torch.save zip");
  EXPECT_EQ(read.sha256, base::sha256_file(test::test_file("golden/checkpoints/tricky.state_dict.pt")));
  expect_same(read.tensors,
              read_checkpoint(test::test_file("golden/checkpoints/tricky.expected.safetensors")).tensors);
}

class GoldenCheckpoint : public testing::Test {
 protected:
  static std::filesystem::path golden(const std::filesystem::path& name) {
    return test::shared_data() / "golden" / name;
  }
};

TEST_F(GoldenCheckpoint, StateDictsPlainAndNested) {
  const auto weights = golden("openclip_vit_tiny_d_224_head20/weights.safetensors");
  QUASAR_REQUIRE_DATA(weights);
  const TensorMap expected = read_checkpoint(weights).tensors;
  EXPECT_GT(expected.size(), 20U);
  for (const char* kind : {"plain_state_dict", "nested_state_dict", "nested_state_dict_module_prefix"}) {
    SCOPED_TRACE(kind);
    const Checkpoint read =
        read_checkpoint(golden(std::string("checkpoints/openclip_vit_tiny_d.") + kind + ".pt"));
    EXPECT_EQ(read.container, "torch.save zip");
    expect_same(read.tensors, expected);
  }
}

TEST_F(GoldenCheckpoint, TorchScriptArchivesKeepTheirStoredTypes) {
  const auto weights = golden("clip_rn_tiny_a/weights.safetensors");
  QUASAR_REQUIRE_DATA(weights);
  const TensorMap expected = read_checkpoint(weights).tensors;
  for (const char* kind : {"fp16mixed", "fp16mixed_cuda_tagged"}) {
    SCOPED_TRACE(kind);
    Checkpoint read =
        read_checkpoint(golden(std::string("checkpoints/clip_rn_tiny_a.torchscript_") + kind + ".pt"));
    EXPECT_EQ(read.container, "TorchScript");
    EXPECT_EQ(read.tensors.at("visual.conv1.weight").scalar_type(), torch::kFloat16);
    EXPECT_EQ(read.tensors.at("visual.bn1.weight").scalar_type(), torch::kFloat32);
    EXPECT_EQ(read.tensors.at("input_resolution").item<std::int64_t>(), 224);
    EXPECT_EQ(read.tensors.at("context_length").item<std::int64_t>(), 77);
    EXPECT_EQ(read.tensors.at("vocab_size").item<std::int64_t>(), 96);
    for (const char* extra : {"input_resolution", "context_length", "vocab_size"}) read.tensors.erase(extra);
    for (auto& [name, tensor] : read.tensors) {
      EXPECT_TRUE(tensor.is_cpu()) << name;
      if (tensor.scalar_type() == torch::kFloat16) tensor = tensor.to(torch::kFloat32);
    }
    expect_same(read.tensors, expected);
  }
}

TEST_F(GoldenCheckpoint, TheOldFormatGetsTheCommandThatConvertsIt) {
  const auto path = golden("checkpoints/openclip_vit_tiny_d.legacy_nonzip.pt");
  QUASAR_REQUIRE_DATA(path);
  try {
    read_checkpoint(path);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(path.string()), HasSubstr("before version 1.6"),
                      HasSubstr("torch.save(torch.load('openclip_vit_tiny_d.legacy_nonzip.pt', "
                                "map_location='cpu'), 'new-openclip_vit_tiny_d.legacy_nonzip.pt')")));
  }
}

}  // namespace
}  // namespace quasar::encoder
