#include "encoder/checkpoint.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>

#include "base/checksum.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::encoder {
namespace {

using testing::HasSubstr;

TensorMap example() {
  return {{"f64", at::arange(3, torch::kFloat64)},
          {"f32", at::arange(6, torch::kFloat32).reshape({2, 3})},
          {"f16", at::arange(5, torch::kFloat32).to(torch::kFloat16)},
          {"bf16", at::arange(3, torch::kFloat32).to(torch::kBFloat16)},
          {"i64", at::arange(2, torch::kInt64)},
          {"i32", at::arange(3, torch::kInt32)},
          {"i16", at::arange(3, torch::kInt16)},
          {"i8", at::arange(3, torch::kInt8)},
          {"u8", at::arange(3, torch::kUInt8)},
          {"bool", at::ones({3}, torch::kBool)},
          {"scalar", at::full({}, 7.5, torch::kFloat32)},
          {"empty", at::empty({0, 4}, torch::kFloat32)},
          {"view", at::arange(12, torch::kFloat32).reshape({3, 4}).t()}};
}

void expect_same(const TensorMap& found, const TensorMap& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(found.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(found.at(name).is_contiguous()) << name;
    EXPECT_EQ(found.at(name).sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(found.at(name), tensor)) << name;
  }
}

TEST(Checkpoint, SafetensorsKeepEveryTypeAndShape) {
  const test::ScratchFolder folder;
  write_safetensors(folder / "w.safetensors", example(), {{"architecture", "mini"}});
  const Checkpoint read = read_checkpoint(folder / "w.safetensors");
  expect_same(read.tensors, example());
  EXPECT_EQ(read.container, "safetensors");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"architecture", "mini"}}));
  EXPECT_EQ(read.sha256, base::sha256_file(folder / "w.safetensors"));
}

TEST(Checkpoint, TensorsOutliveEverythingElse) {
  const test::ScratchFolder folder;
  write_safetensors(folder / "w.safetensors", {{"x", at::arange(100000, torch::kFloat32)}}, {});
  torch::Tensor x = read_checkpoint(folder / "w.safetensors").tensors.at("x");
  std::filesystem::remove(folder / "w.safetensors");
  EXPECT_TRUE(at::equal(x, at::arange(100000, torch::kFloat32)));
}

TEST(Checkpoint, ErrorsNameTheFile) {
  const test::ScratchFolder folder;
  const auto path = folder / "broken.safetensors";
  for (const char* content : {"", "hello", "12345678{"}) {
    std::ofstream(path) << content;
    try {
      read_checkpoint(path);
      FAIL() << content;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
  EXPECT_THROW(read_checkpoint(folder / "missing"), base::Error);
}

TEST(Checkpoint, ReadsFilesOfTheReferenceWriter) {
  const auto path = test::shared_data() / "golden/clip_rn_tiny_b_res64/weights_fp16mixed.safetensors";
  QUASAR_REQUIRE_DATA(path);
  const Checkpoint read = read_checkpoint(path);
  EXPECT_EQ(read.tensors.at("visual.conv1.weight").scalar_type(), torch::kFloat16);
  EXPECT_EQ(read.tensors.at("visual.bn1.weight").scalar_type(), torch::kFloat32);
}

}  // namespace
}  // namespace quasar::encoder
