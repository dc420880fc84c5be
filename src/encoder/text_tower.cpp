#include "encoder/text_tower.h"

#include <ATen/Functions.h>

#include <limits>
#include <utility>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-5;

/// [t, t], 0 where a token may look and minus infinity at the tokens after it.
torch::Tensor causal_mask(std::int64_t t) {
  return at::full({t, t}, -std::numeric_limits<float>::infinity()).triu_(1);
}

struct TextSizes {
  BlockSizes block;
  int layers = 0;
  std::int64_t vocabulary = 0;
  std::int64_t position_rows = 0;
  std::int64_t embedding = 0;
};

WeightShapes text_shapes(const std::string& root, bool with_class, const TextSizes& sizes) {
  const std::int64_t width = sizes.block.width;
  WeightShapes shapes = {{root + "token_embedding.weight", {sizes.vocabulary, width}},
                         {root + "positional_embedding", {sizes.position_rows, width}},
                         {root + "ln_final.weight", {width}},
                         {root + "ln_final.bias", {width}},
                         {root + "text_projection", {width, sizes.embedding}}};
  if (with_class) shapes.push_back({root + "cls_emb", {width}});
  const WeightShapes blocks = clip_block_shapes(root + "transformer.", sizes.layers, sizes.block);
  shapes.insert(shapes.end(), blocks.begin(), blocks.end());
  return shapes;
}

}  // namespace

TextTower::TextTower(const TensorMap& tensors, const TextTowerOptions& options) {
  const bool coca = tensors.contains("text.token_embedding.weight") || tensors.contains("text.cls_emb");
  const std::string root = coca ? "text." : "";
  const std::string blocks = root + "transformer.resblocks.";
  TextSizes sizes;
  sizes.block.width = dimension_of(tensors, root + "token_embedding.weight", 1);
  sizes.block.hidden = dimension_of(tensors, blocks + "0.mlp.c_fc.weight", 0);
  sizes.block.heads = options.heads > 0 ? options.heads : sizes.block.width / 64;
  sizes.block.activation = options.activation;
  sizes.layers = count_layers(tensors, blocks, ".attn.in_proj_weight");
  sizes.vocabulary = dimension_of(tensors, root + "token_embedding.weight", 0);
  sizes.position_rows = dimension_of(tensors, root + "positional_embedding", 0);
  sizes.embedding = dimension_of(tensors, root + "text_projection", 1);
  if (sizes.block.width == 0 || sizes.layers == 0)
    base::fail(base::ExitCode::kInput, "the checkpoint has no text tower: " + root +
                                           "token_embedding.weight or " + blocks +
                                           "0 is missing; a whole CLIP checkpoint has both towers");
  const Misfit misfit =
      compare(tensors, text_shapes(root, coca, sizes), [](const std::string&) { return true; });
  if (misfit.count() > 0)
    base::fail(base::ExitCode::kInput, "the text tower does not fit:" + misfit.describe());
  if (sizes.block.heads < 1 || sizes.block.width % sizes.block.heads != 0)
    base::fail(base::ExitCode::kInput, "a text tower of width " + std::to_string(sizes.block.width) +
                                           " has no " + std::to_string(sizes.block.heads) + " equal heads");

  sizes_ = sizes.block;
  context_ = static_cast<int>(sizes.position_rows) - (coca ? 1 : 0);
  token_embedding_ = tensors.at(root + "token_embedding.weight").detach();
  position_rows_ = take(tensors, root + "positional_embedding");
  if (coca) class_token_ = take(tensors, root + "cls_emb");
  blocks_ = take_clip_blocks(tensors, root + "transformer.", sizes.layers, sizes_);
  norm_ = take_norm(tensors, root + "ln_final.", kEpsilon);
  projection_ = take(tensors, root + "text_projection").t().contiguous();
  causal_mask_ = causal_mask(sizes.position_rows);
}

torch::Tensor TextTower::forward(const torch::Tensor& ids) const {
  const torch::InferenceMode inference;
  if (ids.dim() != 2 || ids.size(1) != context_)
    base::fail(base::ExitCode::kMismatch, "the text tower takes " + std::to_string(context_) +
                                              " token ids per text, not " + to_text(ids.sizes().vec()));
  const std::int64_t vocabulary = token_embedding_.size(0);
  if (ids.numel() > 0 && (ids.min().item<std::int64_t>() < 0 || ids.max().item<std::int64_t>() >= vocabulary))
    base::fail(base::ExitCode::kMismatch, "token ids from " + std::to_string(ids.min().item<std::int64_t>()) +
                                              " to " + std::to_string(ids.max().item<std::int64_t>()) +
                                              " do not fit a vocabulary of " + std::to_string(vocabulary));
  return class_token_.defined() ? forward_coca(ids) : forward_clip(ids);
}

torch::Tensor TextTower::forward_clip(const torch::Tensor& ids) const {
  torch::Tensor x = at::embedding(token_embedding_, ids).to(torch::kFloat32) + position_rows_;
  x = run_blocks(blocks_, sizes_, x, causal_mask_);
  // The end token has the largest id; the first of equal ones counts.
  const torch::Tensor end = at::argmax(ids, 1);
  x = x.index({at::arange(ids.size(0)), end});
  return at::linear(apply(norm_, x), projection_);
}

torch::Tensor TextTower::forward_coca(const torch::Tensor& ids) const {
  const std::int64_t n = ids.size(0);
  const std::int64_t width = sizes_.width;
  torch::Tensor x = at::cat({at::embedding(token_embedding_, ids).to(torch::kFloat32),
                             class_token_.view({1, 1, width}).expand({n, 1, width})},
                            1) +
                    position_rows_;
  // The class token at the end sees a token when the one before it is no padding (the reference shifts its
  // mask by one), and always the first.
  torch::Tensor mask = causal_mask_.unsqueeze(0).repeat({n, 1, 1});
  mask.select(1, context_)
      .narrow(1, 1, context_)
      .masked_fill_(ids.eq(0), -std::numeric_limits<float>::infinity());
  x = run_blocks(blocks_, sizes_, x, mask);
  x = at::linear(apply(norm_, x.select(1, context_)), projection_);
  return x / x.norm(2, {1}, true);
}

std::vector<float> encode_texts(const TensorMap& tensors, const text::Tokenizer& tokenizer,
                                std::span<const std::string> texts, const TextTowerOptions& options) {
  if (texts.empty()) return {};
  const TextTower tower(tensors, options);
  std::vector<std::int64_t> ids;
  for (const std::string& text : texts) {
    const std::vector<std::int64_t> row = tokenizer.encode_padded(text, tower.context_length());
    ids.insert(ids.end(), row.begin(), row.end());
  }
  const torch::Tensor rows = torch::from_blob(
      ids.data(), {static_cast<std::int64_t>(texts.size()), tower.context_length()}, torch::kInt64);
  const torch::Tensor vectors = tower.forward(rows).contiguous();
  return {vectors.data_ptr<float>(), vectors.data_ptr<float>() + vectors.numel()};
}

text::SpecialTokens special_tokens(const std::string& preset) {
  return text_options(preset).activation == Activation::kQuickGelu ? text::SpecialTokens::kOpenAi
                                                                   : text::SpecialTokens::kOpenClip;
}

}  // namespace quasar::encoder
