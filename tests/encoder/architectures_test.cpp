#include <gmock/gmock.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>

#include "base/errors.h"
#include "encoder/architectures.h"
#include "encoder/golden_case.h"
#include "encoder/network_factory.h"
#include "encoder/random_weights.h"
#include "support/test_data.h"

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

/// A file of weights of a golden folder, as an encoder reads it, with tensors put in the place of its own.
std::unique_ptr<Network> golden_network(const std::string& folder, const std::string& file,
                                        const std::string& preset, const TensorMap& replaced = {}) {
  TensorMap tensors =
      read_checkpoint(test::encoder_golden_folder(folder) / file, name_family(preset)).tensors;
  for (const auto& [name, tensor] : replaced) tensors[name] = tensor;
  return make_network(preset, std::move(tensors), {3});
}

TensorMap golden_file(const std::string& folder, const std::string& file) {
  return read_checkpoint(test::encoder_golden_folder(folder) / file).tensors;
}

TEST(GoldenDinoV3, GivesTheReferenceEmbeddingFromEitherNaming) {
  for (const std::string folder : {"dinov3_tiny_a", "dinov3_tiny_b_swiglu"}) {
    QUASAR_REQUIRE_DATA(test::encoder_golden_folder(folder));
    for (const char* file : {"weights.safetensors", "weights_hf.safetensors"}) {
      const auto network = golden_network(folder, file, "dinov3-any");
      TensorMap values = golden_file(folder, "io_small.safetensors");
      const std::filesystem::path large = test::encoder_golden_folder(folder) / "io_224x224.safetensors";
      if (std::filesystem::exists(large)) values.merge(read_checkpoint(large).tensors);
      for (const std::string shape : {"64x96", "112x112", "224x224"}) {
        if (!values.contains("input." + shape)) continue;
        expect_golden(network->forward(values.at("input." + shape)), values.at("x_norm_clstoken." + shape),
                      folder + " " + file + " " + shape);
      }
    }
  }
}

TEST(GoldenDinoV3, TakesMasksPeriodsAndPicturesAsTheReferenceDoes) {
  for (const std::string folder : {"dinov3_tiny_a", "dinov3_tiny_b_swiglu"}) {
    QUASAR_REQUIRE_DATA(test::encoder_golden_folder(folder));
    const TensorMap values = golden_file(folder, "io_small.safetensors");
    const TensorMap variants = golden_file(folder, "io_variants.safetensors");
    const auto rounded = golden_network(folder, "weights.safetensors", "dinov3-any",
                                        {{"rope_embed.periods", variants.at("periods_bf16")}});
    for (const std::string shape : {"64x96", "112x112"})
      expect_golden(rounded->forward(values.at("input." + shape)),
                    variants.at("x_norm_clstoken_periodsbf16." + shape), folder + " periods " + shape);
    const auto network = golden_network(folder, "weights.safetensors", "dinov3-any");
    expect_golden(network->forward(variants.at("input.70x100")), variants.at("x_norm_clstoken.70x100"),
                  folder + " 70x100");
    if (!variants.contains("x_norm_clstoken_maskzero.64x96")) continue;
    const torch::Tensor zeros = at::zeros({144}, torch::kFloat32);
    const auto masked =
        golden_network(folder, "weights.safetensors", "dinov3-any",
                       {{"blocks.0.attn.qkv.bias_mask", zeros}, {"blocks.1.attn.qkv.bias_mask", zeros}});
    for (const std::string shape : {"64x96", "112x112"})
      expect_golden(masked->forward(values.at("input." + shape)),
                    variants.at("x_norm_clstoken_maskzero." + shape), folder + " mask " + shape);
  }
}

TEST(GoldenDinoV3, ReadsTimmsNames) {
  const std::string folder = "dinov3_tiny_a";
  QUASAR_REQUIRE_DATA(test::encoder_golden_folder(folder));
  const TensorMap original = golden_file(folder, "weights.safetensors");
  // As timm's own conversion names them (its keys are in the case.json of the folder).
  TensorMap timm;
  for (const auto& [name, tensor] : original) {
    const auto block = name.substr(0, 9);
    if (name == "storage_tokens") {
      timm["reg_token"] = tensor;
    } else if (name.ends_with("attn.qkv.bias")) {
      timm[block + "attn.q_bias"] = tensor.narrow(0, 0, 48).contiguous();
      timm[block + "attn.v_bias"] = tensor.narrow(0, 96, 48).contiguous();
    } else if (name.ends_with(".ls1.gamma") || name.ends_with(".ls2.gamma")) {
      timm[block + (name.ends_with(".ls1.gamma") ? "gamma_1" : "gamma_2")] = tensor;
    } else if (name != "mask_token" && name != "rope_embed.periods" && !name.ends_with("bias_mask")) {
      timm[name] = tensor;
    }
  }
  const test::ScratchFolder scratch;
  write_safetensors(scratch / "timm.safetensors", timm, {});
  const NamedCheckpoint read = read_checkpoint(scratch / "timm.safetensors", name_family("dinov3-any"));
  EXPECT_EQ(read.note, "names as timm gives them");
  const TensorMap values = golden_file(folder, "io_small.safetensors");
  expect_golden(make_network("dinov3-any", read.tensors, {3})->forward(values.at("input.64x96")),
                values.at("x_norm_clstoken.64x96"), "timm");
}

TEST(GoldenSigLip, GivesTheReferenceEmbeddingFromEveryNaming) {
  const std::string folder = "siglip2_tiny_a";
  QUASAR_REQUIRE_DATA(test::encoder_golden_folder(folder));
  const TensorMap values = golden_values(folder);
  // Its README: 4e-5 tells every mistake that is listed there.
  constexpr double kMost = 4e-5;
  for (const char* file :
       {"weights_hf.safetensors", "weights_timm.safetensors", "weights_open_clip.safetensors"}) {
    if (!std::filesystem::exists(test::encoder_golden_folder(folder) / file)) continue;
    const auto network = golden_network(folder, file, "siglip2-any");
    for (const std::string shape : {"64x64", "70x70"})
      expect_golden(network->forward(values.at("input." + shape)), values.at("pooler_output." + shape),
                    file + (" " + shape), kMost);
  }
}

/// The names of Hugging Face's CLIP, from open_clip's of a golden case.
TensorMap hugging_face_clip(const TensorMap& original) {
  TensorMap renamed;
  for (const auto& [name, tensor] : original) {
    const bool visual = name.starts_with("visual.");
    const std::string own = visual ? name.substr(7) : name;
    const std::string tower = visual ? "vision_model." : "text_model.";
    const std::string blocks = "transformer.resblocks.";
    if (own.starts_with(blocks)) {
      const std::size_t dot = own.find('.', blocks.size());
      const std::string block =
          tower + "encoder.layers." + own.substr(blocks.size(), dot + 1 - blocks.size());
      const std::string part = own.substr(dot + 1);
      if (part.starts_with("attn.in_proj_")) {
        const auto thirds = tensor.chunk(3, 0);
        for (std::size_t i = 0; i < 3; ++i)
          renamed[block + "self_attn." + "qkv"[i] + "_proj." + part.substr(13)] = thirds[i].contiguous();
        continue;
      }
      const std::map<std::string, std::string> parts = {{"ln_1", "layer_norm1"},
                                                        {"ln_2", "layer_norm2"},
                                                        {"attn.out_proj", "self_attn.out_proj"},
                                                        {"mlp.c_fc", "mlp.fc1"},
                                                        {"mlp.c_proj", "mlp.fc2"}};
      const std::size_t last = part.rfind('.');
      renamed[block + parts.at(part.substr(0, last)) + part.substr(last)] = tensor;
      continue;
    }
    const std::map<std::string, std::string> others = {
        {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
        {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
        {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
        {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"},
        {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"},
        {"visual.ln_post.weight", "vision_model.post_layernorm.weight"},
        {"visual.ln_post.bias", "vision_model.post_layernorm.bias"},
        {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
        {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
        {"ln_final.weight", "text_model.final_layer_norm.weight"},
        {"ln_final.bias", "text_model.final_layer_norm.bias"}};
    if (name == "visual.proj" || name == "text_projection") {
      renamed[visual ? "visual_projection.weight" : "text_projection.weight"] = tensor.t().contiguous();
    } else {
      renamed[others.contains(name) ? others.at(name) : name] = tensor;
    }
  }
  return renamed;
}

TEST(GoldenClip, ReadsHuggingFacesNames) {
  const std::string folder = "openclip_vit_tiny_d_224_head20";
  const TensorMap original = golden_weights(folder);
  const test::ScratchFolder scratch;
  write_safetensors(scratch / "hf.safetensors", hugging_face_clip(original), {});
  const NamedCheckpoint read = read_checkpoint(scratch / "hf.safetensors", name_family("vit-any"));
  EXPECT_EQ(read.note, "names as Hugging Face gives them");
  ASSERT_EQ(read.tensors.size(), original.size());
  for (const auto& [name, tensor] : original) {
    ASSERT_TRUE(read.tensors.contains(name)) << name;
    EXPECT_TRUE(at::equal(read.tensors.at(name), tensor)) << name;
  }
  expect_golden(make_network("vit-any", read.tensors, {2})->forward(golden_input_224()),
                golden_values(folder).at("encode_image_224"), "Hugging Face");
}

/// The names of Hugging Face's DINOv2, from the authors'.
TensorMap hugging_face_dinov2(const TensorMap& original) {
  TensorMap renamed;
  for (const auto& [name, tensor] : original) {
    if (!name.starts_with("blocks.")) {
      const std::map<std::string, std::string> others = {
          {"cls_token", "embeddings.cls_token"},
          {"mask_token", "embeddings.mask_token"},
          {"pos_embed", "embeddings.position_embeddings"},
          {"register_tokens", "embeddings.register_tokens"},
          {"patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"},
          {"patch_embed.proj.bias", "embeddings.patch_embeddings.projection.bias"},
          {"norm.weight", "layernorm.weight"},
          {"norm.bias", "layernorm.bias"}};
      renamed[others.at(name)] = tensor;
      continue;
    }
    const std::size_t dot = name.find('.', 7);
    const std::string block = "encoder.layer." + name.substr(7, dot - 6);
    const std::string part = name.substr(dot + 1);
    if (part.starts_with("attn.qkv.")) {
      const auto thirds = tensor.chunk(3, 0);
      const std::array<const char*, 3> names = {"query.", "key.", "value."};
      for (std::size_t i = 0; i < 3; ++i)
        renamed[block + "attention.attention." + names[i] + part.substr(9)] = thirds[i].contiguous();
      continue;
    }
    const std::map<std::string, std::string> parts = {{"attn.proj", "attention.output.dense"},
                                                      {"mlp.w12", "mlp.weights_in"},
                                                      {"mlp.w3", "mlp.weights_out"}};
    const std::size_t last = part.rfind('.');
    const std::string stem = part.substr(0, last);
    if (part == "ls1.gamma" || part == "ls2.gamma") {
      renamed[block + (part == "ls1.gamma" ? "layer_scale1.lambda1" : "layer_scale2.lambda1")] = tensor;
    } else {
      renamed[block + (parts.contains(stem) ? parts.at(stem) : stem) + part.substr(last)] = tensor;
    }
  }
  return renamed;
}

TEST(GoldenDinoV2, ReadsHuggingFacesNamesAndATrainingsChunks) {
  for (const std::string folder : {"dinov2_vit_tiny_b_reg4", "dinov2_vit_tiny_c_swiglu"}) {
    QUASAR_REQUIRE_DATA(test::encoder_golden_folder(folder));
    const TensorMap original = golden_weights(folder);
    TensorMap training = {{"student.backbone.cls_token", original.at("cls_token")},
                          {"dino_loss.center", at::zeros({1, 8})}};
    for (const auto& [name, tensor] : original) {
      const bool first = name.starts_with("blocks.0.");
      training["teacher.backbone." +
               (name.starts_with("blocks.") ? (first ? "blocks.0." : "blocks.1.") + name.substr(7) : name)] =
          tensor;
    }
    const test::ScratchFolder scratch;
    write_safetensors(scratch / "hf", hugging_face_dinov2(original), {});
    write_safetensors(scratch / "training", training, {});
    for (const char* file : {"hf", "training"}) {
      SCOPED_TRACE(folder + " " + file);
      const NamedCheckpoint read = read_checkpoint(scratch / file, name_family("dinov2-any"));
      EXPECT_EQ(read.note, std::string(file) == "hf"
                               ? "names as Hugging Face gives them"
                               : "names as facebookresearch/dinov2 and timm gives them, behind the prefix "
                                 "\"teacher.backbone.\"; left out, as it is no part of the image encoder: "
                                 "dino_loss (1), student (1)");
      ASSERT_EQ(read.tensors.size(), original.size());
      for (const auto& [name, tensor] : original)
        EXPECT_TRUE(at::equal(read.tensors.at(name), tensor)) << name;
    }
  }
}

TEST(Architectures, HaveThePublishedParameterCounts) {
  const std::map<std::string, std::int64_t> published = {{"clip-rn50", 38316896},
                                                         {"vit-l-14", 303966208},
                                                         {"vit-h-14", 632076800},
                                                         {"vit-bigg-14", 1844907264},
                                                         {"coca-vit-l-14", 306724864},
                                                         {"dinov2-vit-l-14", 304368640},
                                                         {"dinov3-vit-s-16", 21601152},
                                                         {"dinov3-vit-s-plus-16", 28697472},
                                                         {"dinov3-vit-b-16", 85669632},
                                                         {"dinov3-vit-l-16", 303154176},
                                                         {"dinov3-vit-h-plus-16", 840633600},
                                                         {"dinov3-vit-7b-16", 6716043264},
                                                         {"siglip2-vit-b-16-224", 92884224},
                                                         {"siglip2-vit-b-16-256", 92930304},
                                                         {"siglip2-vit-b-16-384", 93176064},
                                                         {"siglip2-vit-b-16-512", 93520128},
                                                         {"siglip2-vit-l-16-256", 315956224},
                                                         {"siglip2-vit-l-16-384", 316283904},
                                                         {"siglip2-vit-l-16-512", 316742656},
                                                         {"siglip2-vit-so400m-14-224", 427680704},
                                                         {"siglip2-vit-so400m-14-384", 428225600},
                                                         {"siglip2-vit-so400m-16-256", 427888064},
                                                         {"siglip2-vit-so400m-16-384", 428256704},
                                                         {"siglip2-vit-so400m-16-512", 428772800},
                                                         {"siglip2-vit-g-16-256", 1163168256},
                                                         {"siglip2-vit-g-16-384", 1163659776},
                                                         {"siglip2-vit-b-32-256", 94552320}};
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
  for (const char* name :
       {"clip-rn50", "vit-b-32", "dinov2-vit-s-14-reg", "dinov3-vit-s-plus-16", "siglip2-vit-b-16-224"}) {
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
  EXPECT_THAT(message, AllOf(HasSubstr("\"vit-l14\""), HasSubstr("did you mean \"vit-l-14\"?")));
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
  EXPECT_THAT(message, AllOf(HasSubstr("missing (152)"), HasSubstr("unexpected (175)"),
                             HasSubstr("    blocks.0.ls1.gamma [384]"),
                             HasSubstr("they fit the preset 'dinov2-vit-s-14'")));
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
  TensorMap without_periods = shapes_only("dinov3-vit-s-16");
  without_periods.erase("rope_embed.periods");
  EXPECT_THAT(error_of([&] { make_network("dinov3-any", without_periods, {7}); }).first,
              HasSubstr("7 heads"));
  EXPECT_THAT(error_of([&] { make_network("dinov3-any", without_periods, {64}); }).first,
              HasSubstr("heads of a width of 6, which is no multiple of 4"));
  TensorMap siglip = shapes_only("siglip2-vit-b-16-224");
  siglip["pos_embed"] = at::zeros({1, 195, 768});
  EXPECT_THAT(error_of([&] { make_network("siglip2-any", siglip); }).first,
              HasSubstr("195 rows of positions, which make no square"));
}

TEST(Architectures, PicturesOfAWrongSizeAreRefused) {
  const auto dino = make_network("dinov2-vit-s-14", random_weights("dinov2-vit-s-14", 1));
  EXPECT_EQ(error_of([&] { dino->forward(at::zeros({1, 3, 28, 30})); }).second, base::ExitCode::kMismatch);
  const auto vit = make_network("vit-b-32", random_weights("vit-b-32", 1));
  EXPECT_EQ(error_of([&] { vit->forward(at::zeros({1, 3, 224, 256})); }).second, base::ExitCode::kMismatch);
  const auto siglip = make_network("siglip2-vit-b-16-224", random_weights("siglip2-vit-b-16-224", 1));
  EXPECT_EQ(error_of([&] {
              siglip->forward(at::zeros({1, 3, 256, 224}));
            }).second,
            base::ExitCode::kMismatch);
  const auto dinov3 = make_network("dinov3-vit-s-16", random_weights("dinov3-vit-s-16", 1));
  EXPECT_EQ(error_of([&] { dinov3->forward(at::zeros({1, 3, 15, 64})); }).second, base::ExitCode::kMismatch);
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
  for (const char* name : {"clip-rn50", "clip-rn50-nopos", "vit-b-32", "dinov2-vit-s-14", "dinov3-vit-s-16",
                           "siglip2-vit-b-16-224"}) {
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
