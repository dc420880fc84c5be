#include <gmock/gmock.h>
#include <torch/types.h>

#include "base/errors.h"
#include "encoder/golden_case.h"
#include "encoder/random_weights.h"
#include "encoder/text_tower.h"
#include "support/golden_strings.h"

namespace quasar::encoder {
namespace {

struct Case {
  std::string folder;
  TextTowerOptions options;
  std::string ids;
  std::string output;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.folder << " " << value.output;
}

class GoldenText : public testing::TestWithParam<Case> {};

TEST_P(GoldenText, GivesTheReferenceVectors) {
  const Case& c = GetParam();
  QUASAR_REQUIRE_DATA(test::encoder_golden_folder(c.folder));
  const TensorMap values = golden_values(c.folder);
  const TextTower tower(golden_weights(c.folder), c.options);
  const torch::Tensor found = tower.forward(values.at(c.ids));
  expect_golden(found, values.at(c.output), c.output);
  EXPECT_EQ(found.size(1), tower.dimension());
}

constexpr Activation kGelu = Activation::kGelu;
constexpr Activation kQuick = Activation::kQuickGelu;

INSTANTIATE_TEST_SUITE_P(
    All, GoldenText,
    testing::Values(
        Case{"clip_text_tiny", {kQuick, 2}, "ids_openai", "encode_text_openai_quickgelu"},
        Case{"clip_text_tiny", {kGelu, 2}, "ids_open_clip", "encode_text_open_clip_gelu"},
        Case{"clip_text_tiny", {kQuick, 2}, "ids_openai", "encode_text_open_clip_quickgelu_on_openai_ids"},
        Case{"clip_rn_tiny_a", {kQuick, 0}, "text_tokens", "quasar_encode_text"},
        Case{"clip_rn_tiny_b_res64", {kQuick, 0}, "text_tokens", "quasar_encode_text"},
        Case{"openclip_vit_tiny_a_gelu", {kGelu, 2}, "text_tokens", "encode_text"},
        Case{"openclip_vit_tiny_b_quickgelu", {kQuick, 2}, "text_tokens", "encode_text"},
        Case{"openclip_vit_tiny_c_mlpratio49231", {kGelu, 2}, "text_tokens", "encode_text"},
        Case{"openclip_vit_tiny_d_224_head20", {kGelu, 2}, "text_tokens", "encode_text"},
        Case{"openclip_coca_tiny_a", {kGelu, 2}, "text_tokens", "encode_text_default"},
        Case{"openclip_coca_tiny_b_224", {kGelu, 2}, "text_tokens", "encode_text_default"}));

TEST(TextTower, AnchorsOfPromptsAreTheReferences) {
  const std::filesystem::path vocabulary =
      test::encoder_golden_folder("vocab") / "bpe_simple_vocab_16e6.txt.gz";
  QUASAR_REQUIRE_DATA(vocabulary);
  const std::vector<std::string> prompts = {"Good photo.", "Bad photo."};
  const auto expect_anchors = [&](SpecialTokens special, Activation activation, const std::string& name) {
    const text::Tokenizer tokenizer(vocabulary, special);
    std::vector<float> vectors =
        encode_texts(golden_weights("clip_text_tiny"), tokenizer, prompts, {activation, 2});
    torch::Tensor found = torch::from_blob(vectors.data(), {2, 8}, torch::kFloat32);
    found = found / found.norm(2, {1}, true);
    expect_golden(found, golden_values("clip_text_tiny").at(name), name);
  };
  expect_anchors(text::SpecialTokens::kOpenClip, kGelu, "anchors_gelu");
  expect_anchors(text::SpecialTokens::kOpenAi, kQuick, "anchors_openai_quickgelu");
}

TEST(TextTower, EveryGoldenTextGivesItsVector) {
  // From the string to the vector, in one go.
  const std::filesystem::path strings = test::encoder_golden_folder("clip_text_tiny") / "strings.json";
  QUASAR_REQUIRE_DATA(strings);
  const std::vector<std::string> texts = test::golden_strings();
  const auto expect_vectors = [&](SpecialTokens special, Activation activation, const std::string& name) {
    const text::Tokenizer tokenizer(test::encoder_golden_folder("vocab") / "bpe_simple_vocab_16e6.txt.gz",
                                    special);
    std::vector<float> vectors =
        encode_texts(golden_weights("clip_text_tiny"), tokenizer, texts, {activation, 2});
    expect_golden(torch::from_blob(vectors.data(), {56, 8}, torch::kFloat32),
                  golden_values("clip_text_tiny").at(name), name);
  };
  expect_vectors(text::SpecialTokens::kOpenAi, kQuick, "encode_text_openai_quickgelu");
  expect_vectors(text::SpecialTokens::kOpenClip, kGelu, "encode_text_open_clip_gelu");
}

TEST(TextTower, WhatIsNoTextTowerIsRefused) {
  EXPECT_THROW(TextTower(random_weights("dinov2-vit-s-14", 1)), base::Error);
  TensorMap tensors = golden_weights("clip_rn_tiny_b_res64");
  tensors["text_projection"] = at::zeros({3, 24});
  tensors.erase("ln_final.bias");
  try {
    const TextTower tower(tensors);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("text_projection: the file has [3, 24]"),
                                             testing::HasSubstr("ln_final.bias")));
  }
}

TEST(TextTower, IdsOutsideTheVocabularyAreRefused) {
  const TextTower tower(golden_weights("clip_rn_tiny_b_res64"));
  EXPECT_THROW(tower.forward(at::full({1, 77}, 96, torch::kInt64)), base::Error);
  EXPECT_THROW(tower.forward(at::full({1, 77}, -1, torch::kInt64)), base::Error);
  EXPECT_THROW(tower.forward(at::zeros({1, 76}, torch::kInt64)), base::Error);
}

TEST(TextTower, OptionsFollowThePreset) {
  EXPECT_EQ(text_options("clip-rn50-nopos").activation, kQuick);
  EXPECT_EQ(text_options("vit-l-14").activation, kGelu);
  EXPECT_EQ(text_options("vit-l-14-quickgelu").activation, kQuick);
  EXPECT_EQ(special_tokens("clip-rn50"), text::SpecialTokens::kOpenAi);
  EXPECT_EQ(special_tokens("coca-vit-l-14"), text::SpecialTokens::kOpenClip);
  EXPECT_THROW(text_options("dinov2-vit-l-14"), base::Error);
}

}  // namespace
}  // namespace quasar::encoder
