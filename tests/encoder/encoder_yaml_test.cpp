#include "encoder/encoder_yaml.h"

#include <gmock/gmock.h>

#include "base/errors.h"
#include "encoder/golden_case.h"

namespace quasar::encoder {
namespace {

using testing::HasSubstr;

EncoderConfig parsed(const std::string& keys) {
  const auto root = base::ConfigNode::parse_text("encoder: {" + keys + "}", "c.yaml");
  return encoder_config_from_yaml(root.child("encoder"));
}

std::string error_of(const std::string& keys) {
  try {
    parsed(keys);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "(no error)";
}

/// Keys of an encoder whose weights are there.
std::string vit(const std::string& more) {
  return "architecture: vit-any, weights: " +
         (test::encoder_golden_folder("openclip_vit_tiny_d_224_head20") / "weights.safetensors").string() +
         ", " + more;
}

TEST(EncoderYaml, NamesDevices) {
  EXPECT_EQ(parsed("").device, DeviceKind::kAuto);
  EXPECT_EQ(parsed("device: auto").device, DeviceKind::kAuto);
  EXPECT_EQ(parsed("device: cpu").device, DeviceKind::kCpu);
  EXPECT_EQ(parsed("device: cuda").device, DeviceKind::kCuda);
  EXPECT_EQ(parsed("device: cuda").device_index, -1);
  EXPECT_EQ(parsed("device: cuda:3").device, DeviceKind::kCuda);
  EXPECT_EQ(parsed("device: cuda:3").device_index, 3);
  for (const char* wrong : {"gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda3", "cuda:99999999999"})
    EXPECT_THAT(error_of(std::string("device: '") + wrong + "'"),
                HasSubstr("is no device; auto, cpu, cuda or cuda:K is"))
        << wrong;
}

TEST(EncoderYaml, NamesPrecisions) {
  EXPECT_EQ(parsed("").precision, Precision::kFloat32);
  EXPECT_EQ(parsed("precision: bfloat16").precision, Precision::kBfloat16);
  EXPECT_EQ(parsed("precision: float16").precision, Precision::kFloat16);
  EXPECT_THAT(error_of("precision: float64"), HasSubstr("precision"));
}

TEST(EncoderYaml, SelectsPreprocessing) {
  const auto input = [](const std::string& keys) { return *parsed(vit("input: {" + keys + "}")).input; };
  using Triple = std::array<double, 3>;
  EXPECT_EQ(input("statistics: clip").mean, (Triple{0.48145466, 0.4578275, 0.40821073}));
  EXPECT_EQ(input("statistics: clip").std, (Triple{0.26862954, 0.26130258, 0.27577711}));
  EXPECT_EQ(input("statistics: imagenet").mean, (Triple{0.485, 0.456, 0.406}));
  EXPECT_EQ(input("statistics: imagenet").std, (Triple{0.229, 0.224, 0.225}));
  EXPECT_EQ(input("statistics: half").mean, (Triple{0.5, 0.5, 0.5}));
  EXPECT_EQ(input("statistics: half").std, (Triple{0.5, 0.5, 0.5}));
  EXPECT_EQ(input("mean: [0, 0.25, 1], std: [1, 2, 3]").mean, (Triple{0, 0.25, 1}));
  // 224 cut out, 512 with nothing cut, the size that the picture has.
  EXPECT_TRUE(input("size: 224").fixed_shape());
  const base::InputSpec whole = input("resize: shorter_side, size: 512, crop: false");
  EXPECT_EQ(whole.size, 512);
  EXPECT_FALSE(whole.center_crop);
  const base::InputSpec square = input("resize: square, size: 384, filter: bilinear");
  EXPECT_EQ(square.resize, base::ResizeRule::kSquare);
  EXPECT_EQ(square.filter, base::ResizeFilter::kBilinear);
  EXPECT_FALSE(square.center_crop);
  EXPECT_TRUE(square.fixed_shape());
  EXPECT_THAT(error_of(vit("input: {filter: lanczos}")), HasSubstr("filter"));
  EXPECT_EQ(input("resize: none").resize, base::ResizeRule::kNone);
  EXPECT_FALSE(input("resize: none").center_crop);

  EXPECT_THAT(error_of(vit("input: {statistics: half, mean: [0, 0, 0]}")), HasSubstr("give either"));
  EXPECT_THAT(error_of(vit("input: {mean: [0, 0]}")), HasSubstr("three numbers"));
  EXPECT_THAT(error_of(vit("input: {std: [1, 0, 1]}")), HasSubstr("std must be positive"));
  EXPECT_THAT(error_of(vit("input: {resize: none, crop: true}")), HasSubstr("resize: shorter_side"));
}

TEST(EncoderYaml, TakesHeadCountsForCheckpointsOfAnySizeOnly) {
  const EncoderConfig config = parsed(vit("heads: {trunk: 2, pooler: 4, text: 3}"));
  EXPECT_EQ(config.heads.trunk, 2);
  EXPECT_EQ(config.heads.pooler, 4);
  EXPECT_EQ(config.heads.text, 3);
  std::string fixed = vit("heads: {trunk: 2}");
  fixed.replace(fixed.find("vit-any"), 7, "vit-l-14");
  EXPECT_THAT(error_of(fixed), HasSubstr("the head counts of vit-l-14 are known"));
}

TEST(EncoderYaml, ExplainsWhatIsMissing) {
  EXPECT_THAT(error_of("architecture: vit-l14, weights: w"),
              HasSubstr("did you mean \"vit-l-14\"? There are: "));
  EXPECT_THAT(error_of("architecture: something-else-altogether, weights: w"),
              HasSubstr("there is no encoder \"something-else-altogether\". There are: "));
  EXPECT_THAT(error_of("architecture: vit-l-14"), HasSubstr("\"weights\" is missing"));
  EXPECT_THAT(error_of("architecture: vit-l-14, weights: /nowhere.pt"),
              HasSubstr("there is no file /nowhere.pt"));
  EXPECT_THAT(error_of("architecture: vit-l-14, weights: /"),
              HasSubstr("/ is a folder: name the file in it"));
  std::string script = vit("device: cpu");
  script.replace(script.find("vit-any"), 7, "torchscript");
  EXPECT_THAT(error_of(script), HasSubstr("\"input\" is missing"));
  EXPECT_THAT(error_of(vit("output: {index: 1}")), HasSubstr("only a TorchScript encoder"));
  EXPECT_THAT(error_of(script + ", input: {size: 8}, output: {key: a, index: 1}"), HasSubstr("give either"));
}

}  // namespace
}  // namespace quasar::encoder
