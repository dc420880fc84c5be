#include "encoder/torch_encoder.h"

#include <ATen/Functions.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/errors.h"
#include "encoder/golden_case.h"
#include "encoder/network_factory.h"
#include "encoder/random_weights.h"

namespace quasar::encoder {
namespace {

std::unique_ptr<TorchEncoder> made_encoder() {
  return std::make_unique<TorchEncoder>(make_network("dinov2-vit-s-14", random_weights("dinov2-vit-s-14", 1)),
                                        base::InputSpec{},
                                        base::EncoderIdentity{"dinov2-vit-s-14", "", "", "float32"},
                                        torch::Device(torch::kCPU), torch::kFloat32);
}

/// Gives its normalised input as the embedding.
class Identity : public Network {
 public:
  explicit Identity(int values) : values_(values) {}
  torch::Tensor forward(const torch::Tensor& pixels) override { return pixels.flatten(1); }
  int dimension() const override { return values_; }
  std::int64_t parameter_count() const override { return 0; }
  void to(torch::Device /*device*/, torch::ScalarType /*type*/) override {}
  double forward_bytes(double /*count*/, double /*height*/, double /*width*/) const override { return 0.0; }

 private:
  int values_;
};

/// encode() of golden bytes [3, h, w] gives the golden floats.
void expect_normalised(const torch::Tensor& bytes, const torch::Tensor& expected, base::InputSpec spec) {
  const torch::Tensor pixels = bytes.permute({1, 2, 0}).contiguous();
  const auto height = static_cast<int>(bytes.size(1));
  const auto width = static_cast<int>(bytes.size(2));
  TorchEncoder encoder(std::make_unique<Identity>(3 * height * width), spec, base::EncoderIdentity{},
                       torch::Device(torch::kCPU), torch::kFloat32);
  std::vector<float> found(static_cast<std::size_t>(expected.numel()));
  encoder.encode({1, height, width, {pixels.data_ptr<std::uint8_t>(), found.size()}}, found);
  const torch::Tensor normalised = torch::from_blob(found.data(), expected.sizes(), torch::kFloat32);
  EXPECT_LE((normalised - expected).abs().max().item<double>(), 1e-6);
}

TEST(TorchEncoder, NormalisesAsTheReference) {
  const TensorMap kept = read_checkpoint(test::test_file("golden/preprocess/io_f32.safetensors")).tensors;
  base::InputSpec native{.resize = base::ResizeRule::kNone};
  expect_normalised(kept.at("small_png.native_u8"), kept.at("small_png.native_f32"), native);
  const std::filesystem::path golden = test::shared_data() / "golden" / "preprocess";
  QUASAR_REQUIRE_DATA(golden);
  expect_normalised(read_checkpoint(golden / "io_u8.safetensors").tensors.at("land_png.resize224_u8"),
                    read_checkpoint(golden / "io_f32.safetensors").tensors.at("land_png.resize224_f32"),
                    base::InputSpec{});
}

/// Multiplies matrices that do not fit.
class BrokenNetwork : public Network {
 public:
  torch::Tensor forward(const torch::Tensor& pixels) override { return at::mm(pixels[0][0], pixels[0][0]); }
  int dimension() const override { return 4; }
  std::int64_t parameter_count() const override { return 0; }
  void to(torch::Device, torch::ScalarType) override {}
  double forward_bytes(double, double, double) const override { return 0.0; }
};

TEST(TorchEncoder, WhatLibTorchThrowsIsOneParagraphThatNamesTheEncoder) {
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kNone;
  spec.center_crop = false;
  TorchEncoder encoder(std::make_unique<BrokenNetwork>(), spec,
                       base::EncoderIdentity{"broken", "", "", "float32"}, torch::Device(torch::kCPU),
                       torch::kFloat32);
  const std::vector<std::uint8_t> pixels(std::size_t{2} * 3 * 3);
  std::vector<float> row(4);
  try {
    encoder.encode({1, 2, 3, pixels}, row);
    FAIL() << "matrices of 2 x 3 were multiplied";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kDevice);
    EXPECT_THAT(error.what(), testing::HasSubstr("the encoder broken failed on cpu with 1 pictures of 3x2"));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("frame #")));
  }
}

TEST(TorchEncoder, KeepsOpenBlasToOneThreadWhileAnyLives) {
  const auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (get == nullptr || set == nullptr) GTEST_SKIP() << "LibTorch runs on another BLAS here";
  const int original = get();
  set(2);
  auto first = made_encoder();
  EXPECT_EQ(get(), 1);
  auto second = made_encoder();
  first.reset();
  EXPECT_EQ(get(), 1);
  second.reset();
  EXPECT_EQ(get(), 2);
  set(original);
}

}  // namespace
}  // namespace quasar::encoder
