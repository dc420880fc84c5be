#include "encoder/vision_transformer.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-5;
const std::string kRoot = "visual.";

class VisionTransformer final : public Network {
 public:
  VisionTransformer(const VisionTransformerSizes& sizes, const TensorMap& tensors)
      : trunk_(sizes, tensors), parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    norm_after_ = take_norm(tensors, kRoot + "ln_post.", kEpsilon);
    projection_ = take(tensors, kRoot + "proj").t().contiguous();
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    torch::Tensor x = trunk_.embed(pixels);
    const BlockSizes sizes = trunk_.sizes.block();
    x = run_blocks(std::span(trunk_.blocks).first(trunk_.blocks.size() - 1), sizes, x, {});
    x = run_block_first_token(trunk_.blocks.back(), sizes, x);
    return at::linear(apply(norm_after_, x), projection_).to(torch::kFloat32);
  }

  int dimension() const override { return static_cast<int>(trunk_.sizes.embedding); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    trunk_.visit_all(move);
    visit(norm_after_, move);
    move(projection_);
  }

  double flops_per_image(int /*height*/, int /*width*/) const override {
    const VisionTransformerSizes& sizes = trunk_.sizes;
    const double tokens = static_cast<double>(sizes.position_rows);
    return 2.0 * static_cast<double>((sizes.position_rows - 1) * trunk_.patch.weight.numel()) +
           (sizes.layers - 1) * block_flops(sizes.block(), tokens) +
           first_token_block_flops(sizes.block(), tokens) + 2.0 * static_cast<double>(projection_.numel());
  }

  double forward_bytes(double count, double /*height*/, double /*width*/) const override {
    const BlockSizes sizes = trunk_.sizes.block();
    const auto tokens = static_cast<double>(trunk_.sizes.position_rows);
    return std::max({trunk_.embed_bytes(count), run_blocks_bytes(trunk_.blocks, sizes, count, tokens),
                     first_token_block_bytes(trunk_.blocks.back(), sizes, count, tokens)});
  }

 private:
  VisionTrunk trunk_;
  std::int64_t parameters_;
  LayerNorm norm_after_;
  torch::Tensor projection_;  ///< [embedding, width]
};

}  // namespace

WeightShapes trunk_shapes(const VisionTransformerSizes& sizes) {
  const std::int64_t d = sizes.width;
  WeightShapes shapes = {{kRoot + "class_embedding", {d}},
                         {kRoot + "positional_embedding", {sizes.position_rows, d}},
                         {kRoot + "conv1.weight", {d, 3, sizes.patch, sizes.patch}},
                         {kRoot + "ln_pre.weight", {d}},
                         {kRoot + "ln_pre.bias", {d}}};
  const WeightShapes blocks = clip_block_shapes(kRoot + "transformer.", sizes.layers, sizes.block());
  shapes.insert(shapes.end(), blocks.begin(), blocks.end());
  return shapes;
}

WeightShapes weight_shapes(const VisionTransformerSizes& sizes) {
  WeightShapes shapes = trunk_shapes(sizes);
  shapes.push_back({kRoot + "ln_post.weight", {sizes.width}});
  shapes.push_back({kRoot + "ln_post.bias", {sizes.width}});
  shapes.push_back({kRoot + "proj", {sizes.width, sizes.embedding}});
  return shapes;
}

VisionTransformerSizes read_vision_transformer_sizes(const TensorMap& tensors, std::int64_t heads,
                                                     Activation activation) {
  const std::string blocks = kRoot + "transformer.resblocks.";
  VisionTransformerSizes sizes;
  sizes.width = dimension_of(tensors, kRoot + "conv1.weight", 0);
  sizes.layers = count_layers(tensors, blocks, ".attn.in_proj_weight");
  sizes.heads = heads > 0 ? heads : sizes.width / 64;
  sizes.hidden = dimension_of(tensors, blocks + "0.mlp.c_fc.weight", 0);
  sizes.patch = dimension_of(tensors, kRoot + "conv1.weight", 2);
  sizes.position_rows = dimension_of(tensors, kRoot + "positional_embedding", 0);
  sizes.embedding = dimension_of(tensors, kRoot + "proj", 1);
  sizes.activation = activation;
  return sizes;
}

VisionTrunk::VisionTrunk(const VisionTransformerSizes& own_sizes, const TensorMap& tensors)
    : sizes(own_sizes) {
  const torch::Tensor rows = take(tensors, kRoot + "positional_embedding");
  patch.weight = take(tensors, kRoot + "conv1.weight").flatten(1);
  class_token = take(tensors, kRoot + "class_embedding").unsqueeze(0) + rows.narrow(0, 0, 1);
  position_rows = rows.narrow(0, 1, rows.size(0) - 1).contiguous();
  norm_before = take_norm(tensors, kRoot + "ln_pre.", kEpsilon);
  blocks = take_clip_blocks(tensors, kRoot + "transformer.", sizes.layers, sizes.block());
}

torch::Tensor VisionTrunk::embed(const torch::Tensor& pixels) const {
  const std::int64_t side = sizes.side();
  if (pixels.size(2) != side || pixels.size(3) != side)
    base::fail(base::ExitCode::kMismatch, "this vision transformer takes pictures of " +
                                              std::to_string(side) + " x " + std::to_string(side) +
                                              " pixels, not " + std::to_string(pixels.size(3)) + " x " +
                                              std::to_string(pixels.size(2)));
  const std::int64_t n = pixels.size(0);
  const torch::Tensor patches = embed_patches(patch, sizes.patch, pixels).add_(position_rows);
  return apply(norm_before, at::cat({class_token.unsqueeze(0).expand({n, 1, sizes.width}), patches}, 1));
}

double VisionTrunk::embed_bytes(double n) const {
  const auto tokens = static_cast<double>(sizes.position_rows);
  const auto element = static_cast<double>(patch.weight.element_size());
  const double row = element * n * tokens * static_cast<double>(sizes.width);
  return std::max(embed_patches_bytes(patch, n, tokens - 1.0),
                  2.0 * row + norm_bytes(norm_before, n * tokens));
}

void VisionTrunk::visit_all(const TensorVisitor& visitor) {
  visit(patch, visitor);
  visitor(class_token);
  visitor(position_rows);
  visit(norm_before, visitor);
  for (Block& block : blocks) visit(block, visitor);
}

std::unique_ptr<Network> make_vision_transformer(const VisionTransformerSizes& sizes,
                                                 const TensorMap& tensors) {
  return std::make_unique<VisionTransformer>(sizes, tensors);
}

}  // namespace quasar::encoder
