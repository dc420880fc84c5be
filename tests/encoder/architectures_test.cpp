#include <gmock/gmock.h>
#include <torch/types.h>

#include <algorithm>
#include <thread>

#include "base/errors.h"
#include "encoder/architectures.h"
#include "encoder/golden_case.h"
#include "encoder/network_factory.h"
#include "encoder/random_weights.h"

namespace quasar::encoder {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Case {
  std::string folder;
  std::string preset;
  HeadCounts heads;
  std::string input;  ///< "224" or the name of a tensor.
  std::string output;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.folder << " " << value.preset << " " << value.output;
}

class GoldenEncoder : public testing::TestWithParam<Case> {};

TEST_P(GoldenEncoder, GivesTheReferenceEmbedding) {
  const Case& c = GetParam();
  QUASAR_REQUIRE_DATA(test::encoder_golden_folder(c.folder));
  const TensorMap values = golden_values(c.folder);
  if (!values.contains(c.output))
    GTEST_SKIP() << c.output << " is not among the cases kept in the repository";
  const auto network = make_network(c.preset, golden_weights(c.folder), c.heads);
  const torch::Tensor input = c.input == "224" ? golden_input_224() : values.at(c.input);
  const torch::Tensor found = network->forward(input);
  expect_golden(found, values.at(c.output), c.output);
  EXPECT_EQ(found.size(1), network->dimension());
  EXPECT_EQ(found.scalar_type(), torch::kFloat32);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  const auto add_resnet = [&](const std::string& folder, const std::string& shape) {
    for (const bool rows : {true, false})
      list.push_back({folder,
                      rows ? "clip-rn-any" : "clip-rn-any-nopos",
                      {},
                      shape == "224" ? shape : "x_" + shape,
                      std::string("quasar_") + (rows ? "pos_" : "nopos_") + shape});
  };
  for (const char* shape : {"224", "160x232", "75x101"}) add_resnet("clip_rn_tiny_a", shape);
  for (const char* shape : {"224", "64x64", "97x250"}) add_resnet("clip_rn_tiny_b_res64", shape);
  list.push_back({"clip_rn_tiny_a", "clip-rn-any", {}, "224", "openai_encode_image_224"});
  list.push_back({"openclip_vit_tiny_a_gelu", "vit-any", {4}, "x_56", "encode_image_56"});
  list.push_back({"openclip_vit_tiny_b_quickgelu", "vit-any-quickgelu", {4}, "x_56", "encode_image_56"});
  list.push_back({"openclip_vit_tiny_c_mlpratio49231", "vit-any", {2}, "x_70", "encode_image_70"});
  list.push_back({"openclip_vit_tiny_d_224_head20", "vit-any", {2}, "224", "encode_image_224"});
  list.push_back({"openclip_coca_tiny_a", "coca-any", {4, 8}, "x_56", "encode_image_default_56"});
  list.push_back({"openclip_coca_tiny_b_224", "coca-any", {3, 4}, "224", "encode_image_default_224"});
  const auto add_dino = [&](const std::string& folder, int heads, const std::vector<std::string>& shapes) {
    for (const std::string& shape : shapes)
      list.push_back({folder, "dinov2-any", {heads}, shape == "224" ? shape : "x_" + shape, "out_" + shape});
  };
  add_dino("dinov2_vit_tiny_a", 4, {"70x70", "224", "98x154", "56x42", "350x14", "70x140"});
  add_dino("dinov2_vit_tiny_b_reg4", 4, {"224", "70x70", "98x154", "56x42"});
  add_dino("dinov2_vit_tiny_c_swiglu", 3, {"224", "70x70", "84x126"});
  add_dino("dinov2_vit_tiny_d_grid37", 2, {"224", "140x196"});
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenEncoder, testing::ValuesIn(cases()), [](const auto& one) {
  std::string name = one.param.folder + "_" + one.param.output;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST(Architectures, HaveThePublishedParameterCounts) {
  const std::map<std::string, std::int64_t> published = {
      {"clip-rn50", 38316896},     {"vit-l-14", 303966208},      {"vit-h-14", 632076800},
      {"vit-bigg-14", 1844907264}, {"coca-vit-l-14", 306724864}, {"dinov2-vit-l-14", 304368640}};
  for (const auto& [name, count] : published) EXPECT_EQ(preset_parameter_count(name), count) << name;
}

TEST(Architectures, OthersHaveTheCountsOfTheirHyperParameters) {
  // By formulas of their own, from the published layers, widths, patches and hidden sizes.
  const std::map<std::string, std::int64_t> expected = {{"clip-rn101", 56259936},
                                                        {"clip-rn50x4", 87137080},
                                                        {"clip-rn50x16", 167328912},
                                                        {"clip-rn50x64", 420380352},
                                                        {"vit-b-32", 87849216},
                                                        {"vit-b-16", 86192640},
                                                        {"vit-l-14-336", 304293888},
                                                        {"dinov2-vit-s-14", 22056576},
                                                        {"dinov2-vit-b-14", 86580480},
                                                        {"dinov2-vit-g-14", 1136480768},
                                                        {"dinov2-vit-l-14-reg", 304372736}};
  for (const auto& [name, count] : expected) EXPECT_EQ(preset_parameter_count(name), count) << name;
}

TEST(Architectures, RandomWeightsFitTheirPreset) {
  for (const char* name : {"clip-rn50", "vit-b-32", "dinov2-vit-s-14-reg"}) {
    const auto network = make_network(name, random_weights(name, 1));
    EXPECT_EQ(network->parameter_count(), preset_parameter_count(name));
    const torch::Tensor found = network->forward(at::zeros({2, 3, 224, 224}));
    EXPECT_EQ(found.size(0), 2);
    EXPECT_TRUE(at::isfinite(found).all().item<bool>()) << name;
    EXPECT_GT(network->flops_per_image(224, 224), 1e9) << name;
  }
}

TEST(Architectures, RandomWeightsDependOnTheSeedAlone) {
  const TensorMap a = random_weights("dinov2-vit-s-14", 7);
  EXPECT_TRUE(at::equal(a.at("pos_embed"), random_weights("dinov2-vit-s-14", 7).at("pos_embed")));
  EXPECT_FALSE(at::equal(a.at("pos_embed"), random_weights("dinov2-vit-s-14", 8).at("pos_embed")));
}

/// The message of the Error that `action` throws, and its code.
template <typename Action>
std::pair<std::string, base::ExitCode> error_of(Action action) {
  try {
    action();
  } catch (const base::Error& error) {
    return {error.what(), error.code()};
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Architectures, AnUnknownNameGetsTheNearestOne) {
  const auto [message, code] = error_of([] { make_network("vit-l14", {}); });
  EXPECT_EQ(code, base::ExitCode::kConfig);
  EXPECT_THAT(message, AllOf(HasSubstr("vit-l14"), HasSubstr("'vit-l-14'")));
}

TEST(Architectures, WeightsOfAnotherPresetAreNamed) {
  const auto [message, code] = error_of([] { make_network("vit-b-16", random_weights("vit-b-32", 1)); });
  EXPECT_EQ(code, base::ExitCode::kInput);
  EXPECT_THAT(
      message,
      AllOf(HasSubstr("visual.conv1.weight: the file has [768, 3, 32, 32], the preset [768, 3, 16, 16]"),
            HasSubstr("visual.positional_embedding: the file has [50, 768], the preset [197, 768]"),
            HasSubstr("they fit the preset 'vit-b-32' or 'vit-b-32-quickgelu'")));
}

TEST(Architectures, AnotherFamilyIsNamedToo) {
  const auto [message, code] =
      error_of([] { make_network("vit-b-16", random_weights("dinov2-vit-s-14", 1)); });
  EXPECT_THAT(message, AllOf(HasSubstr("missing (152)"), HasSubstr("they fit the preset 'dinov2-vit-s-14'")));
}

/// Tensors of a preset's shapes that take no memory.
TensorMap shapes_only(const std::string& preset) {
  const torch::Tensor zero = at::zeros({1}, torch::kFloat32);
  TensorMap tensors;
  for (const WeightShape& weight : weight_shapes(find_architecture(preset).sizes))
    tensors.emplace(weight.name, weight.shape.empty() ? zero[0] : zero.expand(weight.shape));
  return tensors;
}

TEST(Architectures, TheRightPresetIsNamedInEveryFamily) {
  struct Mistake {
    const char* file;    ///< Whose weights they are.
    const char* preset;  ///< Taken for.
    std::vector<std::string> parts;
  };
  const std::vector<Mistake> mistakes = {
      {"clip-rn50",
       "clip-rn101",
       {"visual.layer3.22.conv3.weight [1024, 256, 1, 1]",
        "visual.attnpool.c_proj.weight: the file has [1024, 2048], the preset [512, 2048]",
        "they fit the preset 'clip-rn50' or 'clip-rn50-nopos'"}},
      {"clip-rn50x4",
       "clip-rn50",
       {"visual.conv1.weight: the file has [40, 3, 3, 3], the preset [32, 3, 3, 3]",
        "visual.layer1.3.bn1.weight [80]", "'clip-rn50x4' or 'clip-rn50x4-nopos'"}},
      {"vit-h-14",
       "vit-l-14",
       {"visual.proj: the file has [1280, 1024], the preset [1024, 768]",
        "visual.transformer.resblocks.31.ln_1.bias [1280]", "'vit-h-14' or 'vit-h-14-quickgelu'"}},
      {"vit-l-14",
       "vit-l-14-336",
       {"visual.positional_embedding: the file has [257, 1024], the preset [577, 1024]",
        "'vit-l-14' or 'vit-l-14-quickgelu'"}},
      {"vit-bigg-14",
       "vit-h-14-quickgelu",
       {"visual.transformer.resblocks.0.mlp.c_fc.weight: the file has [8192, 1664], the preset [5120, 1280]",
        "'vit-bigg-14' or 'vit-bigg-14-quickgelu'"}},
      {"coca-vit-l-14",
       "vit-l-14",
       {"visual.attn_pool.query [256, 768]", "visual.proj: the file has [768, 768], the preset [1024, 768]",
        "they fit the preset 'coca-vit-l-14'"}},
      {"vit-l-14",
       "coca-vit-l-14",
       {"visual.attn_pool.query [256, 768]", "visual.proj: the file has [1024, 768], the preset [768, 768]",
        "'vit-l-14' or 'vit-l-14-quickgelu'"}},
      {"dinov2-vit-l-14-reg",
       "dinov2-vit-l-14",
       {"register_tokens [1, 4, 1024]", "they fit the preset 'dinov2-vit-l-14-reg'"}},
      {"dinov2-vit-g-14",
       "dinov2-vit-l-14",
       {"blocks.39.mlp.w12.weight [8192, 1536]",
        "cls_token: the file has [1, 1, 1536], the preset [1, 1, 1024]",
        "they fit the preset 'dinov2-vit-g-14'"}},
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(std::string(mistake.file) + " as " + mistake.preset);
    const auto [message, code] = error_of([&] { make_network(mistake.preset, shapes_only(mistake.file)); });
    EXPECT_EQ(code, base::ExitCode::kInput);
    for (const std::string& part : mistake.parts) EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(Architectures, TheNearestPresetIsNamedWhereNoneFits) {
  TensorMap tensors = shapes_only("vit-b-32");
  tensors["visual.head.weight"] = at::zeros({10, 512});
  EXPECT_THAT(error_of([&] { make_network("vit-b-16", tensors); }).first,
              AllOf(HasSubstr("visual.head.weight [10, 512]"),
                    HasSubstr("no preset fits these weights exactly; the nearest is 'vit-b-32' or "
                              "'vit-b-32-quickgelu', which 1 tensor does not fit")));
  // The one that was asked for is the nearest.
  EXPECT_THAT(error_of([&] { make_network("vit-b-32", tensors); }).first, Not(HasSubstr("nearest")));
  // Nothing is near to this.
  EXPECT_THAT(error_of([&] {
                make_network("vit-b-32", {{"fc.weight", at::zeros({10, 512})}});
              }).first,
              AllOf(HasSubstr("no preset fits"), Not(HasSubstr("nearest"))));
}

TEST(Architectures, EveryProblemIsListed) {
  TensorMap tensors = shapes_only("dinov2-vit-l-14");
  for (auto& [name, tensor] : tensors) tensor = tensor.unsqueeze(0);
  const std::string message = error_of([&] { make_network("dinov2-vit-l-14", tensors); }).first;
  for (const auto& [name, tensor] : tensors)
    EXPECT_THAT(message, HasSubstr("    " + name + ": the file has"));
}

TEST(Architectures, AllProblemsComeInOneMessage) {
  TensorMap tensors = random_weights("dinov2-vit-s-14", 1);
  tensors.erase("blocks.3.attn.qkv.bias");
  tensors["norm.weight"] = at::zeros({383});
  tensors["head.weight"] = at::zeros({2, 3});
  tensors["norm.bias"] = at::zeros({384}, torch::kInt64);
  const auto [message, code] = error_of([&] { make_network("dinov2-vit-s-14", tensors); });
  EXPECT_THAT(message,
              AllOf(HasSubstr("blocks.3.attn.qkv.bias [1152]"),
                    HasSubstr("norm.weight: the file has [383], the preset [384]"),
                    HasSubstr("norm.bias: the file has whole numbers"), HasSubstr("head.weight [2, 3]"),
                    HasSubstr("no preset fits"), Not(HasSubstr("cls_token"))));
}

TEST(Architectures, TheUnusedMaskTokenMayBeMissing) {
  TensorMap tensors = random_weights("dinov2-vit-s-14", 1);
  tensors.erase("mask_token");
  EXPECT_EQ(make_network("dinov2-vit-s-14", tensors)->dimension(), 384);
}

TEST(Architectures, EmptyAndHostileCheckpointsAreRefused) {
  for (const Architecture& preset : architectures())
    EXPECT_EQ(error_of([&] { make_network(preset.name, {}); }).second, base::ExitCode::kInput) << preset.name;
  TensorMap scalars;
  for (const auto& [name, tensor] : random_weights("dinov2-vit-s-14", 1)) scalars[name] = at::zeros({});
  EXPECT_EQ(error_of([&] { make_network("dinov2-any", scalars); }).second, base::ExitCode::kInput);
  TensorMap vit = random_weights("vit-b-32", 1);
  EXPECT_THAT(error_of([&] { make_network("vit-any", vit, {7}); }).first, HasSubstr("7 heads"));
}

TEST(Architectures, PicturesOfAWrongSizeAreRefused) {
  const auto dino = make_network("dinov2-vit-s-14", random_weights("dinov2-vit-s-14", 1));
  EXPECT_EQ(error_of([&] { dino->forward(at::zeros({1, 3, 28, 30})); }).second, base::ExitCode::kMismatch);
  const auto vit = make_network("vit-b-32", random_weights("vit-b-32", 1));
  EXPECT_EQ(error_of([&] { vit->forward(at::zeros({1, 3, 224, 256})); }).second, base::ExitCode::kMismatch);
  const auto resnet = make_network("clip-rn50", random_weights("clip-rn50", 1));
  EXPECT_EQ(error_of([&] { resnet->forward(at::zeros({1, 3, 31, 64})); }).second, base::ExitCode::kMismatch);
}

TEST(Architectures, ForwardIsThreadSafe) {
  const auto network = make_network("dinov2-vit-s-14", random_weights("dinov2-vit-s-14", 1));
  const torch::Tensor input = at::randn({1, 3, 84, 56});
  const torch::Tensor expected = network->forward(input);
  std::vector<torch::Tensor> found(4);
  std::vector<std::thread> threads;
  threads.reserve(found.size());
  for (torch::Tensor& one : found)
    threads.emplace_back([&network, &input, &one] { one = network->forward(input); });
  for (std::thread& thread : threads) thread.join();
  for (const torch::Tensor& one : found) EXPECT_LT((one - expected).abs().max().item<double>(), 1e-5);
}

TEST(Architectures, BFloat16StaysClose) {
  for (const char* name : {"clip-rn50", "clip-rn50-nopos", "vit-b-32", "dinov2-vit-s-14"}) {
    const auto network = make_network(name, random_weights(name, 1));
    const torch::Tensor input = at::randn({1, 3, 224, 224});
    const torch::Tensor expected = network->forward(input);
    network->to(torch::kCPU, torch::kBFloat16);
    const torch::Tensor found = network->forward(input.to(torch::kBFloat16));
    EXPECT_EQ(found.scalar_type(), torch::kFloat32);
    EXPECT_GT(at::cosine_similarity(found, expected).item<double>(), 0.99) << name;
  }
}

}  // namespace
}  // namespace quasar::encoder
