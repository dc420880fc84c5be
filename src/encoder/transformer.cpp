#include "encoder/transformer.h"

#include <torch/version.h>

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/errors.h"
#include "encoder/cpu_blocks.h"
#include "encoder/cpu_kernels.h"

namespace quasar::encoder {
namespace {

constexpr double kQuickGeluFactor = 1.702;

double mlp_flops(const BlockSizes& sizes, double tokens) {
  const double expanded = sizes.activation == Activation::kSwiGlu ? 2.0 : 1.0;
  return 2.0 * tokens * static_cast<double>(sizes.width * sizes.hidden) * (expanded + 1.0);
}

/// Values that run_mlp and cpu::run_blocks hold of a token: what `expand` and the activation make, and the
/// result.
double mlp_values(const BlockSizes& sizes) {
  const double hidden = static_cast<double>(sizes.hidden);
  return (sizes.activation == Activation::kSwiGlu ? 3.0 : 1.0) * hidden + static_cast<double>(sizes.width);
}

double element_bytes(const Linear& linear) {
  return static_cast<double>(linear.weight.element_size());
}

torch::Tensor run_mlp(const Block& block, Activation activation, const torch::Tensor& x) {
  torch::Tensor hidden = apply(block.expand, apply(block.norm2, x));
  switch (activation) {
    case Activation::kGelu:
      at::gelu_(hidden);
      break;
    case Activation::kGeluTanh:
      at::gelu_(hidden, "tanh");
      break;
    case Activation::kQuickGelu:
      at::silu_(hidden);
      break;
    case Activation::kSwiGlu: {
      const std::vector<torch::Tensor> halves = hidden.chunk(2, -1);
      hidden = at::silu(halves[0]).mul_(halves[1]);
      break;
    }
  }
  return apply(block.contract, hidden);
}

}  // namespace

void visit(Linear& linear, const TensorVisitor& visitor) {
  visitor(linear.weight);
  if (linear.bias.defined()) visitor(linear.bias);
}

void visit(LayerNorm& norm, const TensorVisitor& visitor) {
  visitor(norm.weight);
  visitor(norm.bias);
}

void visit(Block& block, const TensorVisitor& visitor) {
  visit(block.norm1, visitor);
  visit(block.qkv, visitor);
  visit(block.projection, visitor);
  visit(block.norm2, visitor);
  visit(block.expand, visitor);
  visit(block.contract, visitor);
}

Linear take_linear(const TensorMap& tensors, const std::string& prefix) {
  return {take(tensors, prefix + "weight"), take(tensors, prefix + "bias")};
}

LayerNorm take_norm(const TensorMap& tensors, const std::string& prefix, double epsilon) {
  return {take(tensors, prefix + "weight"), take(tensors, prefix + "bias"), epsilon};
}

void fold_activation(Block& block, Activation activation) {
  if (activation != Activation::kQuickGelu) return;
  block.expand.weight = block.expand.weight * kQuickGeluFactor;
  block.expand.bias = block.expand.bias * kQuickGeluFactor;
  block.contract.weight = block.contract.weight / kQuickGeluFactor;
}

void fold_scale(Linear& linear, const torch::Tensor& factor) {
  linear = {linear.weight * factor.unsqueeze(1), linear.bias * factor};
}

WeightShapes clip_block_shapes(const std::string& prefix, int layers, const BlockSizes& sizes) {
  const std::int64_t d = sizes.width;
  const std::int64_t hidden = sizes.hidden;
  WeightShapes shapes;
  for (int i = 0; i < layers; ++i) {
    const std::string block = prefix + "resblocks." + std::to_string(i) + ".";
    const WeightShapes one = {{block + "ln_1.weight", {d}},
                              {block + "ln_1.bias", {d}},
                              {block + "attn.in_proj_weight", {3 * d, d}},
                              {block + "attn.in_proj_bias", {3 * d}},
                              {block + "attn.out_proj.weight", {d, d}},
                              {block + "attn.out_proj.bias", {d}},
                              {block + "ln_2.weight", {d}},
                              {block + "ln_2.bias", {d}},
                              {block + "mlp.c_fc.weight", {hidden, d}},
                              {block + "mlp.c_fc.bias", {hidden}},
                              {block + "mlp.c_proj.weight", {d, hidden}},
                              {block + "mlp.c_proj.bias", {d}}};
    shapes.insert(shapes.end(), one.begin(), one.end());
  }
  return shapes;
}

std::vector<Block> take_clip_blocks(const TensorMap& tensors, const std::string& prefix, int layers,
                                    const BlockSizes& sizes) {
  constexpr double kEpsilon = 1e-5;
  std::vector<Block> blocks;
  for (int i = 0; i < layers; ++i) {
    const std::string name = prefix + "resblocks." + std::to_string(i) + ".";
    Block block{take_norm(tensors, name + "ln_1.", kEpsilon),
                {take(tensors, name + "attn.in_proj_weight"), take(tensors, name + "attn.in_proj_bias")},
                take_linear(tensors, name + "attn.out_proj."),
                take_norm(tensors, name + "ln_2.", kEpsilon),
                take_linear(tensors, name + "mlp.c_fc."),
                take_linear(tensors, name + "mlp.c_proj.")};
    fold_activation(block, sizes.activation);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

torch::Tensor apply(const Linear& linear, const torch::Tensor& x) {
  return at::linear(x, linear.weight, linear.bias);
}

torch::Tensor apply(const LayerNorm& norm, const torch::Tensor& x) {
  if (!x.is_cpu() || norm.weight.scalar_type() == torch::kFloat16)
    return at::layer_norm(x, {norm.weight.size(0)}, norm.weight, norm.bias, norm.epsilon);
  torch::Tensor result = at::empty(x.sizes(), norm.weight.options());
  cpu::layer_norm(x.to(torch::kFloat32).contiguous(), norm.weight.to(torch::kFloat32),
                  norm.bias.to(torch::kFloat32), norm.epsilon, result);
  return result;
}

void rotate_(const torch::Tensor& qkv, std::int64_t heads, const Rotation& rotation) {
  const std::int64_t n = qkv.size(0);
  const std::int64_t t = qkv.size(1);
  const std::int64_t width = qkv.size(2) / (3 * heads);
  const std::int64_t half = width / 2;
  const std::int64_t patches = t - rotation.first;
  // [n, patches, 2, heads, width], a view
  const torch::Tensor both =
      qkv.view({n, t, 3, heads, width}).narrow(1, rotation.first, patches).narrow(2, 0, 2);
  const torch::Tensor low = both.narrow(-1, 0, half);
  const torch::Tensor high = both.narrow(-1, half, half);
  const torch::Tensor a = low.to(torch::kFloat32);
  const torch::Tensor b = high.to(torch::kFloat32);
  const torch::Tensor cosine = rotation.cosine.view({patches, 1, 1, half});
  const torch::Tensor sine = rotation.sine.view({patches, 1, 1, half});
  const torch::Tensor turned = a * cosine - b * sine;
  high.copy_((b * cosine).add_(a * sine));
  low.copy_(turned);
}

torch::Tensor self_attention(const torch::Tensor& qkv, std::int64_t heads, const torch::Tensor& mask) {
  const std::int64_t n = qkv.size(0);
  const std::int64_t t = qkv.size(1);
  const std::int64_t d = qkv.size(2) / 3;
  // [3, n, heads, t, w], a view
  const torch::Tensor parts = qkv.view({n, t, 3, heads, d / heads}).permute({2, 0, 3, 1, 4});
#if TORCH_VERSION_MAJOR >= 2
  std::optional<torch::Tensor> bias;
  if (mask.defined()) bias = mask.dim() == 3 ? mask.unsqueeze(1) : mask;
  return at::scaled_dot_product_attention(parts[0], parts[1], parts[2], bias)
      .transpose(1, 2)
      .reshape({n, t, d});
#else
  const double scale = 1.0 / std::sqrt(static_cast<double>(d / heads));
  torch::Tensor result = at::empty({n, t, d}, qkv.options());
  torch::Tensor scores = at::empty({heads, t, t}, qkv.options());
  // One image at a time: the scores stay in the cache, and no part of qkv has to be copied.
  for (std::int64_t i = 0; i < n; ++i) {
    const torch::Tensor q = parts[0][i];
    const torch::Tensor k = parts[1][i];
    const torch::Tensor v = parts[2][i];
    // Not baddbmm with a factor of 0: for small matrices that multiplies what the memory held, NaNs included.
    at::bmm_out(scores, q, k.transpose(1, 2));
    scores.mul_(scale);
    if (mask.defined()) scores.add_(mask.dim() == 3 ? mask[i] : mask);
    at::_softmax_out(scores, scores, -1, false);
    result[i].view({t, heads, d / heads}).copy_(at::bmm(scores, v).transpose(0, 1));
  }
  return result;
#endif
}

torch::Tensor single_query_attention(const torch::Tensor& query, const torch::Tensor& tokens,
                                     const torch::Tensor& key, const Linear& value, std::int64_t heads) {
  const std::int64_t n = query.size(0);
  const std::int64_t d = query.size(1);
  const std::int64_t w = d / heads;
  const std::int64_t c = tokens.size(2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(w));
  // [heads, n, w] x [heads, w, c] -> [n, heads, c]
  const torch::Tensor by_head = at::bmm(query.view({n, heads, w}).transpose(0, 1), key.view({heads, w, c}));
  const torch::Tensor scores =
      at::bmm(by_head.transpose(0, 1).mul(scale), tokens.transpose(1, 2));  // [n, heads, t]
  const torch::Tensor mixed = at::bmm(at::softmax(scores, -1), tokens);     // [n, heads, c]
  const torch::Tensor values =
      at::bmm(mixed.transpose(0, 1), value.weight.view({heads, w, c}).transpose(1, 2));
  return values.transpose(0, 1).reshape({n, d}).add_(value.bias);
}

torch::Tensor run_blocks(std::span<const Block> blocks, const BlockSizes& sizes, torch::Tensor x,
                         const torch::Tensor& mask, const Rotation* rotation) {
  QUASAR_CHECK(sizes.rotated == (rotation != nullptr));
  if (cpu::takes(blocks)) return cpu::run_blocks(blocks, sizes, x, mask, rotation);
  for (const Block& block : blocks) {
    const torch::Tensor qkv = apply(block.qkv, apply(block.norm1, x));
    if (rotation != nullptr) rotate_(qkv, sizes.heads, *rotation);
    x.add_(apply(block.projection, self_attention(qkv, sizes.heads, mask)));
    x.add_(run_mlp(block, sizes.activation, x));
  }
  return x;
}

torch::Tensor run_block_first_token(const Block& block, const BlockSizes& sizes, const torch::Tensor& x) {
  const std::int64_t d = sizes.width;
  const torch::Tensor tokens = apply(block.norm1, x);
  const torch::Tensor query =
      at::linear(tokens.select(1, 0), block.qkv.weight.narrow(0, 0, d), block.qkv.bias.narrow(0, 0, d));
  const Linear value{block.qkv.weight.narrow(0, 2 * d, d), block.qkv.bias.narrow(0, 2 * d, d)};
  const torch::Tensor attended =
      single_query_attention(query, tokens, block.qkv.weight.narrow(0, d, d), value, sizes.heads);
  torch::Tensor first = x.select(1, 0) + apply(block.projection, attended);
  first.add_(run_mlp(block, sizes.activation, first));
  return first;
}

torch::Tensor embed_patches(const Linear& patch, std::int64_t patch_size, const torch::Tensor& pixels) {
  const std::int64_t n = pixels.size(0);
  const std::int64_t h = pixels.size(2) / patch_size;
  const std::int64_t w = pixels.size(3) / patch_size;
  const torch::Tensor patches = pixels.narrow(2, 0, h * patch_size)
                                    .narrow(3, 0, w * patch_size)
                                    .reshape({n, 3, h, patch_size, w, patch_size})
                                    .permute({0, 2, 4, 1, 3, 5});
  return apply(patch, patches.reshape({n, h * w, 3 * patch_size * patch_size}));
}

double block_flops(const BlockSizes& sizes, double tokens) {
  const double d = static_cast<double>(sizes.width);
  return 2.0 * tokens * 4.0 * d * d + 4.0 * tokens * tokens * d + mlp_flops(sizes, tokens);
}

double first_token_block_flops(const BlockSizes& sizes, double tokens) {
  const double d = static_cast<double>(sizes.width);
  return 2.0 * 4.0 * d * d + 4.0 * tokens * d * static_cast<double>(sizes.heads) + mlp_flops(sizes, 1.0);
}

double run_blocks_bytes(std::span<const Block> blocks, const BlockSizes& sizes, double n, double t) {
  if (blocks.empty()) return 0.0;
  if (cpu::takes(blocks)) return cpu::run_blocks_bytes(blocks, sizes, n, t);
  const double d = static_cast<double>(sizes.width);
  // Of a token: x, its queries, keys and values, copies of them where a kernel wants them padded, what is
  // mixed, and its projection; or x and the network.
  const double attention = d + 3.0 * d + 3.0 * d + 2.0 * d;
  double values = n * t * std::max(attention, 2.0 * d + mlp_values(sizes));
#if TORCH_VERSION_MAJOR < 2
  values += 2.0 * static_cast<double>(sizes.heads) * t * t;  // Fused kernels keep no scores.
#endif
  return element_bytes(blocks.front().qkv) * values + (sizes.rotated ? rotation_bytes(sizes, n * t) : 0.0);
}

double first_token_block_bytes(const Block& block, const BlockSizes& sizes, double n, double t) {
  const double d = static_cast<double>(sizes.width);
  const double element = element_bytes(block.qkv);
  const double stream = block.qkv.weight.is_cpu() ? sizeof(float) : element;
  return n * t * d * stream + norm_bytes(block.norm1, n * t) +
         single_query_attention_bytes(n, t, d, static_cast<double>(sizes.heads), element) +
         n * sizeof(float) * (4.0 * d + mlp_values(sizes));
}

double single_query_attention_bytes(double n, double t, double c, double heads, double element) {
  // by_head, its scaled copy, what is mixed, and copies that the products make; the scores and their softmax.
  return element * n * heads * (5.0 * c + 3.0 * t);
}

double embed_patches_bytes(const Linear& patch, double n, double patches) {
  const auto rows = static_cast<double>(patch.weight.size(1) + patch.weight.size(0));
  return element_bytes(patch) * n * patches * rows;
}

double rotation_bytes(const BlockSizes& sizes, double tokens) {
  // The halves of queries and keys in float32, their products, and what is made of them: as many values each
  // as the tokens have.
  constexpr double kTensors = 6.0;
  return kTensors * sizeof(float) * tokens * static_cast<double>(sizes.width);
}

double norm_bytes(const LayerNorm& norm, double rows) {
  const auto element = static_cast<double>(norm.weight.element_size());
  const double in_float = element < sizeof(float) ? sizeof(float) : 0.0;
  return rows * static_cast<double>(norm.weight.size(0)) * (element + in_float);
}

}  // namespace quasar::encoder
