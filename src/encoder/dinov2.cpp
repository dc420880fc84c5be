#include "encoder/dinov2.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-6;
/// Added to the target size by the models without registers, in their authors' words against rounding; it
/// moves the sampling points, so it is part of the model.
constexpr double kInterpolateOffset = 0.1;

Block take_block(const TensorMap& tensors, const std::string& name, Activation activation) {
  const bool gated = activation == Activation::kSwiGlu;
  Block block{take_norm(tensors, name + "norm1.", kEpsilon),
              take_linear(tensors, name + "attn.qkv."),
              take_linear(tensors, name + "attn.proj."),
              take_norm(tensors, name + "norm2.", kEpsilon),
              take_linear(tensors, name + (gated ? "mlp.w12." : "mlp.fc1.")),
              take_linear(tensors, name + (gated ? "mlp.w3." : "mlp.fc2."))};
  // Layer scale multiplies a linear map's output: fold it into the map.
  fold_scale(block.projection, take(tensors, name + "ls1.gamma"));
  fold_scale(block.contract, take(tensors, name + "ls2.gamma"));
  return block;
}

class DinoV2 final : public Network {
 public:
  DinoV2(const DinoV2Sizes& sizes, const TensorMap& tensors)
      : sizes_(sizes), parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    const torch::Tensor rows = take(tensors, "pos_embed")[0];
    grid_ = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(rows.size(0) - 1))));
    if (grid_ * grid_ != rows.size(0) - 1)
      base::fail(base::ExitCode::kInput, "pos_embed has " + std::to_string(rows.size(0)) +
                                             " rows, which is not one more than a square");
    patch_ = {take(tensors, "patch_embed.proj.weight").flatten(1), take(tensors, "patch_embed.proj.bias")};
    prefix_ = take(tensors, "cls_token")[0] + rows.narrow(0, 0, 1);
    if (sizes.registers > 0) prefix_ = at::cat({prefix_, take(tensors, "register_tokens")[0]}, 0);
    position_rows_ = rows.narrow(0, 1, grid_ * grid_).contiguous();
    for (int i = 0; i < sizes.layers; ++i)
      blocks_.push_back(take_block(tensors, "blocks." + std::to_string(i) + ".", sizes.activation));
    norm_ = take_norm(tensors, "norm.", kEpsilon);
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    const std::int64_t n = pixels.size(0);
    const std::int64_t height = pixels.size(2);
    const std::int64_t width = pixels.size(3);
    const std::int64_t p = sizes_.patch;
    if (height % p != 0 || width % p != 0 || height == 0 || width == 0)
      base::fail(base::ExitCode::kMismatch, "DINOv2 takes pictures whose sides are multiples of " +
                                                std::to_string(p) + " pixels, not " + std::to_string(width) +
                                                " x " + std::to_string(height));
    torch::Tensor patches = embed_patches(patch_, p, pixels);
    patches.add_(positions(height / p, width / p).to(patches.scalar_type()));
    torch::Tensor x = at::cat({prefix_.unsqueeze(0).expand({n, prefix_.size(0), sizes_.width}), patches}, 1);
    const BlockSizes sizes = sizes_.block();
    x = run_blocks(std::span(blocks_).first(blocks_.size() - 1), sizes, x, {});
    return apply(norm_, run_block_first_token(blocks_.back(), sizes, x)).to(torch::kFloat32);
  }

  int dimension() const override { return static_cast<int>(sizes_.width); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    visit(patch_, move);
    move(prefix_);
    for (Block& block : blocks_) visit(block, move);
    visit(norm_, move);
    // Interpolated in float32, rounded afterwards.
    position_rows_ = position_rows_.to(device);
  }

  double flops_per_image(int height, int width) const override {
    const std::int64_t rows = height / sizes_.patch;
    const std::int64_t columns = width / sizes_.patch;
    const auto patches = static_cast<double>(rows * columns);
    const double tokens = patches + 1.0 + static_cast<double>(sizes_.registers);
    return 2.0 * patches * static_cast<double>(patch_.weight.numel()) +
           (sizes_.layers - 1) * block_flops(sizes_.block(), tokens) +
           first_token_block_flops(sizes_.block(), tokens);
  }

  double forward_bytes(double count, double height, double width) const override {
    const BlockSizes sizes = sizes_.block();
    const auto d = static_cast<double>(sizes_.width);
    const auto element = static_cast<double>(patch_.weight.element_size());
    const double rows = std::floor(height / static_cast<double>(sizes_.patch));
    const double columns = std::floor(width / static_cast<double>(sizes_.patch));
    const double tokens = rows * columns + static_cast<double>(prefix_.size(0));
    // The stored map, it stretched along the rows, then along both, and that in the network's type.
    const auto grid = static_cast<double>(grid_);
    const double positions =
        d * (sizeof(float) * (grid * grid + grid * columns + rows * columns) + element * rows * columns);
    // forward() keeps the patches until its end.
    const double patches = element * count * rows * columns * d;
    const double prepared = element * count * tokens * d;
    return std::max({embed_patches_bytes(patch_, count, rows * columns), patches + positions,
                     patches + prepared, patches + run_blocks_bytes(blocks_, sizes, count, tokens),
                     patches + first_token_block_bytes(blocks_.back(), sizes, count, tokens)});
  }

 private:
  /// Positional rows of the patches for a grid of h x w, [h * w, width], float32.
  torch::Tensor positions(std::int64_t h, std::int64_t w) const {
    // The reference compares counts first and then asks for a square: 5 x 5 stays, 25 x 1 is interpolated.
    if (h == grid_ && w == grid_) return position_rows_;
    const torch::Tensor map =
        position_rows_.view({1, grid_, grid_, sizes_.width}).permute({0, 3, 1, 2}).contiguous();
    torch::Tensor resized;
    if (sizes_.registers > 0) {
      resized = at::_upsample_bicubic2d_aa(map, {h, w}, false);
    } else {
      const double grid = static_cast<double>(grid_);
      resized =
          at::upsample_bicubic2d(map, {h, w}, false, (static_cast<double>(h) + kInterpolateOffset) / grid,
                                 (static_cast<double>(w) + kInterpolateOffset) / grid);
    }
    return resized[0].flatten(1).t();
  }

  DinoV2Sizes sizes_;
  std::int64_t parameters_;
  std::int64_t grid_ = 0;  ///< Side of the grid of the stored positions.
  Linear patch_;
  torch::Tensor prefix_;         ///< Class token with its positional row, then the registers: [1 + r, width].
  torch::Tensor position_rows_;  ///< [grid * grid, width], float32
  std::vector<Block> blocks_;
  LayerNorm norm_;
};

}  // namespace

WeightShapes weight_shapes(const DinoV2Sizes& sizes) {
  const std::int64_t d = sizes.width;
  const std::int64_t hidden = sizes.hidden;
  const bool gated = sizes.activation == Activation::kSwiGlu;
  const std::string expand = gated ? "mlp.w12." : "mlp.fc1.";
  const std::string contract = gated ? "mlp.w3." : "mlp.fc2.";
  const std::int64_t expanded = gated ? 2 * hidden : hidden;
  WeightShapes shapes = {{"cls_token", {1, 1, d}},
                         {"pos_embed", {1, sizes.position_rows, d}},
                         {"mask_token", {1, d}, WeightShape::Role::kUnusedParameter},
                         {"patch_embed.proj.weight", {d, 3, sizes.patch, sizes.patch}},
                         {"patch_embed.proj.bias", {d}},
                         {"norm.weight", {d}},
                         {"norm.bias", {d}}};
  if (sizes.registers > 0) shapes.push_back({"register_tokens", {1, sizes.registers, d}});
  for (int i = 0; i < sizes.layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    const WeightShapes one = {{block + "norm1.weight", {d}},
                              {block + "norm1.bias", {d}},
                              {block + "attn.qkv.weight", {3 * d, d}},
                              {block + "attn.qkv.bias", {3 * d}},
                              {block + "attn.proj.weight", {d, d}},
                              {block + "attn.proj.bias", {d}},
                              {block + "ls1.gamma", {d}},
                              {block + "norm2.weight", {d}},
                              {block + "norm2.bias", {d}},
                              {block + expand + "weight", {expanded, d}},
                              {block + expand + "bias", {expanded}},
                              {block + contract + "weight", {d, hidden}},
                              {block + contract + "bias", {d}},
                              {block + "ls2.gamma", {d}}};
    shapes.insert(shapes.end(), one.begin(), one.end());
  }
  return shapes;
}

DinoV2Sizes read_dinov2_sizes(const TensorMap& tensors, std::int64_t heads) {
  DinoV2Sizes sizes;
  const bool gated = tensors.contains("blocks.0.mlp.w12.weight");
  sizes.width = dimension_of(tensors, "patch_embed.proj.weight", 0);
  sizes.layers = count_layers(tensors, "blocks.", ".attn.qkv.weight");
  sizes.heads = heads > 0 ? heads : sizes.width / 64;
  sizes.hidden = dimension_of(tensors, gated ? "blocks.0.mlp.w3.weight" : "blocks.0.mlp.fc2.weight", 1);
  sizes.patch = dimension_of(tensors, "patch_embed.proj.weight", 2);
  sizes.position_rows = dimension_of(tensors, "pos_embed", 1);
  sizes.registers = dimension_of(tensors, "register_tokens", 1);
  sizes.activation = gated ? Activation::kSwiGlu : Activation::kGelu;
  return sizes;
}

std::unique_ptr<Network> make_dinov2(const DinoV2Sizes& sizes, const TensorMap& tensors) {
  return std::make_unique<DinoV2>(sizes, tensors);
}

}  // namespace quasar::encoder
