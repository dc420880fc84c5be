#include "checkpoint/weight_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <set>

#include "base/errors.h"
#include "base/unpacker.h"
#include "checkpoint/weights_file.h"
#include "support/test_data.h"

namespace quasar::checkpoint {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

StoredTensor tensor_of(std::vector<std::int64_t> shape, std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {Dtype::kFloat32, std::move(shape), std::as_bytes(std::span(*owner)), owner};
}

/// A tensor whose numbers are first, first + 1, ...
StoredTensor counting(std::vector<std::int64_t> shape, float first = 0) {
  std::vector<float> values(static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>())));
  std::iota(values.begin(), values.end(), first);
  return tensor_of(std::move(shape), std::move(values));
}

std::vector<float> floats(const StoredTensor& tensor) {
  std::vector<float> values;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += sizeof(float))
    values.push_back(base::load<float>(tensor.bytes, at));
  return values;
}

std::vector<std::string> names(const StoredTensors& tensors) {
  std::vector<std::string> list;
  for (const auto& [name, tensor] : tensors) list.push_back(name);
  return list;
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

StoredTensors with_prefix(const StoredTensors& tensors, const std::string& prefix) {
  StoredTensors renamed;
  for (const auto& [name, tensor] : tensors) renamed.emplace(prefix + name, tensor);
  return renamed;
}

/// The least that is known as DINOv2's own naming.
StoredTensors dinov2() {
  return {{"pos_embed", counting({1, 5, 2})},
          {"cls_token", counting({1, 1, 2})},
          {"patch_embed.proj.weight", counting({2, 3, 1, 1})},
          {"blocks.0.ls1.gamma", counting({2})},
          {"blocks.1.ls1.gamma", counting({2}, 7)}};
}

TEST(WeightNames, WrappersAreRemovedWhereverTheyStand) {
  const StoredTensor one = counting({1});
  EXPECT_THAT(names(unwrap_names({{"module.a", one},
                                  {"_orig_mod.module.b.c", one},
                                  {"d._fsdp_wrapped_module._checkpoint_wrapped_module.e", one},
                                  {"_forward_module.f", one},
                                  {"g.module.h", one},
                                  {"my_module.i", one},
                                  {"submodule.j._orig_mod", one},
                                  {"k..l.", one}})),
              ElementsAre("a", "b.c", "d.e", "f", "g.h", "k..l.", "my_module.i", "submodule.j._orig_mod"));
  EXPECT_THAT(error_of([&] {
                unwrap_names({{"module.a", one}, {"a", one}});
              }),
              HasSubstr("two tensors are named \"a\""));
}

TEST(WeightNames, KnownPrefixesAreRemovedAndWhatIsBesideThemIsCounted) {
  for (const std::string prefix :
       {"", "model.", "backbone.", "teacher.backbone.", "model.teacher.backbone.", "dinov2.", "net."}) {
    SCOPED_TRACE(prefix);
    StoredTensors file = with_prefix(dinov2(), prefix);
    for (const auto& [name, tensor] : with_prefix(dinov2(), "student.backbone.")) file.emplace(name, tensor);
    if (!prefix.empty()) file.emplace("dino_loss.center", counting({1}));
    const NamedWeights found = rename_weights(file, NameFamily::kDinoV2);
    EXPECT_EQ(found.prefix, prefix);
    EXPECT_EQ(found.naming, "facebookresearch/dinov2 and timm");
    for (const auto& [name, tensor] : dinov2()) EXPECT_TRUE(found.tensors.contains(name)) << name;
    if (prefix.empty()) {
      // Nothing says that these belong to another module: they are for whoever compares to refuse.
      EXPECT_EQ(found.tensors.size(), 10U);
      EXPECT_THAT(found.left_out, IsEmpty());
    } else {
      EXPECT_EQ(found.tensors.size(), 5U);
      EXPECT_THAT(found.left_out, ElementsAre(Pair("dino_loss", 1), Pair("student", 5)));
    }
  }
}

TEST(WeightNames, ChunkedBlocksAreNumberedThroughout) {
  StoredTensors file = dinov2();
  file.erase("blocks.0.ls1.gamma");
  file.erase("blocks.1.ls1.gamma");
  file.emplace("blocks.0.0.ls1.gamma", counting({2}));
  file.emplace("blocks.1.13.ls1.gamma", counting({2}));
  EXPECT_THAT(names(rename_weights(with_prefix(file, "teacher.backbone."), NameFamily::kDinoV2).tensors),
              ElementsAre("blocks.0.ls1.gamma", "blocks.13.ls1.gamma", "cls_token", "patch_embed.proj.weight",
                          "pos_embed"));
  file.emplace("blocks.0.13.ls1.gamma", counting({2}));
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kDinoV2); }),
              HasSubstr("two tensors are named \"blocks.13.ls1.gamma\""));
}

TEST(WeightNames, UnknownPrefixesAndNamingsAreDescribed) {
  const NamedWeights prefixed = rename_weights(with_prefix(dinov2(), "my.encoder."), NameFamily::kDinoV2);
  EXPECT_EQ(prefixed.naming, "");
  EXPECT_EQ(prefixed.tensors.size(), 5U);
  EXPECT_THAT(prefixed.advice, AllOf(HasSubstr("behind the prefix \"my.encoder.\", which is not known"),
                                     HasSubstr(" teacher. backbone.")));
  const NamedWeights other = rename_weights(with_prefix(dinov2(), "model."), NameFamily::kClip);
  EXPECT_THAT(other.advice,
              AllOf(HasSubstr("the names are those of DINOv2, as facebookresearch/dinov2 and timm"),
                    HasSubstr("OpenAI and open_clip (visual.conv1.weight)"),
                    HasSubstr("Hugging Face (vision_model.embeddings.class_embedding)")));
  const NamedWeights nothing = rename_weights({{"fc.weight", counting({1})}}, NameFamily::kDinoV3);
  EXPECT_THAT(nothing.advice, HasSubstr("names of DINOv3 are known as given by Hugging Face"));
}

TEST(WeightNames, SeveralEncodersInOneFileAreRefused) {
  StoredTensors file = with_prefix(dinov2(), "teacher.");
  for (const auto& [name, tensor] : with_prefix(dinov2(), "model.")) file.emplace(name, tensor);
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kDinoV2); }),
              AllOf(HasSubstr("2 image encoders"), HasSubstr("\"model.\", \"teacher.\"")));
}

TEST(WeightNames, WhatIsNotFiniteIsNamedWithItsPlace) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  StoredTensors file = with_prefix(dinov2(), "model.");
  std::vector<float> values(10000, 1.0F);
  values[9998] = -nan;
  file["model.patch_embed.proj.weight"] = tensor_of({10000}, values);
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kDinoV2); }),
              HasSubstr("tensor \"model.patch_embed.proj.weight\" holds NaN (element 9998)"));
  values[9998] = 3e38F;
  values[3] = -infinity;
  file["model.patch_embed.proj.weight"] = tensor_of({10000}, values);
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kDinoV2); }),
              HasSubstr("holds an infinity (element 3)"));
  values[3] = 0;
  file["model.patch_embed.proj.weight"] = tensor_of({10000}, values);
  // What is not used may hold what it likes.
  file.emplace("loss.center", tensor_of({1}, {nan}));
  EXPECT_EQ(error_of([&] { rename_weights(file, NameFamily::kDinoV2); }), "(no error)");

  const auto of_bits = [&](Dtype type, std::vector<unsigned char> bytes) {
    const auto owner = std::make_shared<const std::vector<unsigned char>>(std::move(bytes));
    file["model.cls_token"] = {type, {1}, std::as_bytes(std::span(*owner)), owner};
    return error_of([&] { rename_weights(file, NameFamily::kDinoV2); });
  };
  EXPECT_THAT(of_bits(Dtype::kFloat16, {0x01, 0x7E}), HasSubstr("holds NaN (element 0)"));
  EXPECT_THAT(of_bits(Dtype::kFloat16, {0x00, 0xFC}), HasSubstr("holds an infinity"));
  EXPECT_EQ(of_bits(Dtype::kFloat16, {0xFF, 0x7B}), "(no error)");
  EXPECT_THAT(of_bits(Dtype::kBfloat16, {0xC0, 0x7F}), HasSubstr("holds NaN"));
  EXPECT_EQ(of_bits(Dtype::kBfloat16, {0x7F, 0x7F}), "(no error)");
  EXPECT_THAT(of_bits(Dtype::kFloat64, {0, 0, 0, 0, 0, 0, 0xF8, 0x7F}), HasSubstr("holds NaN"));
  EXPECT_EQ(of_bits(Dtype::kInt32, {0xFF, 0xFF, 0xFF, 0xFF}), "(no error)");
}

/// A CLIP of Hugging Face with one block of width 2 in each tower, numbers that tell where they came from.
StoredTensors hugging_face_clip() {
  StoredTensors file = {{"logit_scale", counting({})},
                        {"visual_projection.weight", counting({3, 2})},
                        {"text_projection.weight", counting({3, 2}, 50)},
                        {"vision_model.embeddings.class_embedding", counting({2})},
                        {"vision_model.embeddings.patch_embedding.weight", counting({2, 3, 4, 4})},
                        {"vision_model.embeddings.position_embedding.weight", counting({5, 2})},
                        {"vision_model.embeddings.position_ids", {Dtype::kInt64, {0}, {}, nullptr}},
                        {"vision_model.pre_layrnorm.weight", counting({2})},
                        {"vision_model.pre_layrnorm.bias", counting({2})},
                        {"vision_model.post_layernorm.weight", counting({2})},
                        {"vision_model.post_layernorm.bias", counting({2})},
                        {"text_model.embeddings.token_embedding.weight", counting({9, 2})},
                        {"text_model.embeddings.position_embedding.weight", counting({7, 2})},
                        {"text_model.final_layer_norm.weight", counting({2})},
                        {"text_model.final_layer_norm.bias", counting({2})}};
  for (const std::string tower : {"vision_model", "text_model"}) {
    const std::string block = tower + ".encoder.layers.0.";
    for (const char* part : {"layer_norm1", "layer_norm2"}) {
      file.emplace(block + part + ".weight", counting({2}));
      file.emplace(block + part + ".bias", counting({2}));
    }
    float first = 10;
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      file.emplace(block + "self_attn." + part + ".weight", counting({2, 2}, first));
      file.emplace(block + "self_attn." + part + ".bias", counting({2}, 2 * first));
      first += 10;
    }
    file.emplace(block + "mlp.fc1.weight", counting({8, 2}));
    file.emplace(block + "mlp.fc1.bias", counting({8}));
    file.emplace(block + "mlp.fc2.weight", counting({2, 8}));
    file.emplace(block + "mlp.fc2.bias", counting({2}));
  }
  return file;
}

TEST(WeightNames, HuggingFaceClipGetsBothTowers) {
  const NamedWeights found = rename_weights(hugging_face_clip(), NameFamily::kClip);
  EXPECT_EQ(found.naming, "Hugging Face");
  std::vector<std::string> expected = {"logit_scale",
                                       "ln_final.bias",
                                       "ln_final.weight",
                                       "positional_embedding",
                                       "text_projection",
                                       "token_embedding.weight",
                                       "visual.class_embedding",
                                       "visual.conv1.weight",
                                       "visual.ln_post.bias",
                                       "visual.ln_post.weight",
                                       "visual.ln_pre.bias",
                                       "visual.ln_pre.weight",
                                       "visual.positional_embedding",
                                       "visual.proj"};
  for (const std::string tower : {"", "visual."}) {
    for (const char* name : {"attn.in_proj_bias", "attn.in_proj_weight", "attn.out_proj.bias",
                             "attn.out_proj.weight", "ln_1.bias", "ln_1.weight", "ln_2.bias", "ln_2.weight",
                             "mlp.c_fc.bias", "mlp.c_fc.weight", "mlp.c_proj.bias", "mlp.c_proj.weight"})
      expected.push_back(tower + "transformer.resblocks.0." + name);
  }
  EXPECT_THAT(names(found.tensors), testing::UnorderedElementsAreArray(expected));
  EXPECT_THAT(found.left_out, ElementsAre(Pair("vision_model", 1)));
  const StoredTensor& stacked = found.tensors.at("visual.transformer.resblocks.0.attn.in_proj_weight");
  EXPECT_THAT(stacked.shape, ElementsAre(6, 2));
  EXPECT_THAT(floats(stacked), ElementsAre(10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33));
  EXPECT_THAT(floats(found.tensors.at("transformer.resblocks.0.attn.in_proj_bias")),
              ElementsAre(20, 21, 40, 41, 60, 61));
  EXPECT_THAT(found.tensors.at("visual.proj").shape, ElementsAre(2, 3));
  EXPECT_THAT(floats(found.tensors.at("visual.proj")), ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(WeightNames, PartsOfAStackBelongTogether) {
  const std::string name = "vision_model.encoder.layers.0.self_attn.k_proj.weight";
  StoredTensors file = hugging_face_clip();
  file.erase(name);
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }),
              AllOf(HasSubstr("layers.0.self_attn.q_proj.weight"), HasSubstr("others are missing"),
                    HasSubstr("3 parts of visual.transformer.resblocks.0.attn.in_proj_weight")));
  for (const auto& wrong : {counting({2, 3}), counting({2}), counting({})}) {
    file[name] = wrong;
    EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }),
                AllOf(HasSubstr(name), HasSubstr("of different types or lengths of rows")));
  }
  file[name] = counting({2, 2});
  file[name].type = Dtype::kInt32;
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }), HasSubstr("of different types"));
  file[name] = counting({2, 2});
  file["vision_model.encoder.layers.0.self_attn.q_proj.weight"] = counting({});
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }), HasSubstr("is a single number"));
}

TEST(WeightNames, TwoTensorsThatWouldBeOneAreRefused) {
  StoredTensors file = hugging_face_clip();
  file.emplace("visual.proj", counting({2, 3}));
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }),
              AllOf(HasSubstr("\"visual_projection.weight\""), HasSubstr("would both be \"visual.proj\"")));
}

TEST(WeightNames, TimmClipLosesOnesAndABiasOfZeros) {
  StoredTensors file = {{"cls_token", counting({1, 1, 2})},
                        {"pos_embed", counting({1, 5, 2})},
                        {"patch_embed.proj.weight", counting({2, 3, 4, 4})},
                        {"norm_pre.weight", counting({2})},
                        {"norm.weight", counting({2})},
                        {"head.weight", counting({3, 2})},
                        {"head.bias", tensor_of({3}, {0, 0, 0})},
                        {"blocks.0.attn.qkv.weight", counting({6, 2})},
                        {"blocks.0.mlp.fc1.bias", counting({8})}};
  const NamedWeights found = rename_weights(file, NameFamily::kClip);
  EXPECT_EQ(found.naming, "timm");
  EXPECT_THAT(names(found.tensors),
              ElementsAre("visual.class_embedding", "visual.conv1.weight", "visual.ln_post.weight",
                          "visual.ln_pre.weight", "visual.positional_embedding", "visual.proj",
                          "visual.transformer.resblocks.0.attn.in_proj_weight",
                          "visual.transformer.resblocks.0.mlp.c_fc.bias"));
  EXPECT_THAT(found.tensors.at("visual.class_embedding").shape, ElementsAre(2));
  EXPECT_THAT(found.tensors.at("visual.positional_embedding").shape, ElementsAre(5, 2));
  file["head.bias"] = tensor_of({3}, {0, 1, 0});
  EXPECT_THAT(error_of([&] { rename_weights(file, NameFamily::kClip); }),
              HasSubstr("\"head.bias\" is not zero"));
}

TEST(WeightNames, TimmDinoV2HasNoRowForTheClassTokenAndPacksSwiGlu) {
  const StoredTensors file = {{"reg_token", counting({1, 4, 2})},
                              {"cls_token", counting({1, 1, 2})},
                              {"pos_embed", counting({1, 4, 2}, 1)},
                              {"blocks.0.ls1.gamma", counting({2})},
                              {"blocks.0.mlp.fc1.weight", counting({12, 2})},
                              {"blocks.0.mlp.fc1.bias", counting({12})},
                              {"blocks.0.mlp.fc2.weight", counting({2, 6})},
                              {"blocks.1.mlp.fc1.weight", counting({8, 2})},
                              {"blocks.1.mlp.fc2.weight", counting({2, 8})}};
  const NamedWeights found = rename_weights(file, NameFamily::kDinoV2);
  EXPECT_THAT(names(found.tensors),
              ElementsAre("blocks.0.ls1.gamma", "blocks.0.mlp.w12.bias", "blocks.0.mlp.w12.weight",
                          "blocks.0.mlp.w3.weight", "blocks.1.mlp.fc1.weight", "blocks.1.mlp.fc2.weight",
                          "cls_token", "pos_embed", "register_tokens"));
  EXPECT_THAT(found.tensors.at("pos_embed").shape, ElementsAre(1, 5, 2));
  EXPECT_THAT(floats(found.tensors.at("pos_embed")), ElementsAre(0, 0, 1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(WeightNames, AKeyBiasThatIsNotStoredIsZero) {
  const NamedWeights found = rename_weights({{"model.layer.0.attention.v_proj.bias", counting({2}, 5)},
                                             {"layer.1.attention.q_proj.bias", counting({2}, 3)},
                                             {"embeddings.register_tokens", counting({1, 4, 2})},
                                             {"embeddings.patch_embeddings.weight", counting({2, 3, 1, 1})}},
                                            NameFamily::kDinoV3);
  EXPECT_THAT(floats(found.tensors.at("blocks.0.attn.qkv.bias")), ElementsAre(0, 0, 0, 0, 5, 6));
  EXPECT_THAT(floats(found.tensors.at("blocks.1.attn.qkv.bias")), ElementsAre(3, 4, 0, 0, 0, 0));
}

/// Every golden file of a case gives the same names, shapes and bytes, but for what a publisher does not
/// store, or no picture meets (the token of masked patches).
void expect_same_weights(const std::string& folder, NameFamily family, const std::vector<std::string>& files,
                         const std::set<std::string>& not_stored) {
  const auto path = test::shared_data() / "golden" / folder;
  QUASAR_REQUIRE_DATA(path);
  const StoredTensors expected = rename_weights(read_weights_file(path / files[0]).tensors, family).tensors;
  for (std::size_t i = 1; i < files.size(); ++i) {
    SCOPED_TRACE(files[i]);
    const NamedWeights found = rename_weights(read_weights_file(path / files[i]).tensors, family);
    EXPECT_NE(found.naming, "");
    for (const auto& [name, tensor] : found.tensors) {
      ASSERT_TRUE(expected.contains(name)) << name;
      EXPECT_EQ(tensor.shape, expected.at(name).shape) << name;
      if (name.ends_with("attn.qkv.bias")) continue;  // The mask keeps the key's out.
      EXPECT_EQ(floats(tensor), floats(expected.at(name))) << name;
    }
    for (const auto& [name, tensor] : expected) {
      const bool optional = std::any_of(not_stored.begin(), not_stored.end(),
                                        [&](const std::string& ending) { return name.ends_with(ending); });
      EXPECT_TRUE(found.tensors.contains(name) || optional) << name;
    }
  }
}

TEST(WeightNames, GoldenFilesOfOneModelAgree) {
  expect_same_weights("siglip2_tiny_a", NameFamily::kSigLip,
                      {"weights_hf.safetensors", "weights_timm.safetensors", "weights_open_clip.safetensors"},
                      {});
  for (const char* folder : {"dinov3_tiny_a", "dinov3_tiny_b_swiglu"})
    expect_same_weights(folder, NameFamily::kDinoV3, {"weights.safetensors", "weights_hf.safetensors"},
                        {"periods", "bias_mask", "mask_token"});
}

}  // namespace
}  // namespace quasar::checkpoint
