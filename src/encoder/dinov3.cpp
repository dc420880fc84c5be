#include "encoder/dinov3.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kBase = 100.0;  ///< Of the periods.
const std::string kPeriods = "rope_embed.periods";

/// The three projections in one. Published biases are zero, or masked to be; some files have none.
Linear take_qkv(const TensorMap& tensors, const std::string& name) {
  const torch::Tensor weight = take(tensors, name + "weight");
  if (!tensors.contains(name + "bias")) return {weight, at::zeros({weight.size(0)}, torch::kFloat32)};
  const torch::Tensor bias = take(tensors, name + "bias");
  if (!tensors.contains(name + "bias_mask")) return {weight, bias};
  return {weight, bias * take(tensors, name + "bias_mask")};
}

/// The layer that expands: of SwiGLU the gate's rows, then the values'.
Linear take_expand(const TensorMap& tensors, const std::string& name, Activation activation) {
  if (activation != Activation::kSwiGlu) return take_linear(tensors, name + "fc1.");
  const Linear gate = take_linear(tensors, name + "w1.");
  const Linear value = take_linear(tensors, name + "w2.");
  return {at::cat({gate.weight, value.weight}), at::cat({gate.bias, value.bias})};
}

Block take_block(const TensorMap& tensors, const std::string& name, Activation activation) {
  const bool gated = activation == Activation::kSwiGlu;
  Block block{take_norm(tensors, name + "norm1.", kEpsilon),
              take_qkv(tensors, name + "attn.qkv."),
              take_linear(tensors, name + "attn.proj."),
              take_norm(tensors, name + "norm2.", kEpsilon),
              take_expand(tensors, name + "mlp.", activation),
              take_linear(tensors, name + (gated ? "mlp.w3." : "mlp.fc2."))};
  fold_scale(block.projection, take(tensors, name + "ls1.gamma"));
  fold_scale(block.contract, take(tensors, name + "ls2.gamma"));
  return block;
}

class DinoV3 final : public Network {
 public:
  DinoV3(const DinoV3Sizes& sizes, const TensorMap& tensors)
      : sizes_(sizes), parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    patch_ = {take(tensors, "patch_embed.proj.weight").flatten(1), take(tensors, "patch_embed.proj.bias")};
    prefix_ = take(tensors, "cls_token")[0];
    if (sizes.registers > 0) prefix_ = at::cat({prefix_, take(tensors, "storage_tokens")[0]}, 0);
    for (int i = 0; i < sizes.layers; ++i)
      blocks_.push_back(take_block(tensors, "blocks." + std::to_string(i) + ".", sizes.activation));
    norm_ = take_norm(tensors, "norm.", kEpsilon);
    // The authors' files keep the periods, rounded to bfloat16, and their code uses those.
    if (tensors.contains(kPeriods)) {
      periods_ = take(tensors, kPeriods);
    } else {
      const std::int64_t count = sizes.head_width() / 4;
      periods_ = at::pow(kBase, at::arange(count, torch::kFloat32) / static_cast<double>(count));
    }
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    const std::int64_t n = pixels.size(0);
    const std::int64_t rows = pixels.size(2) / sizes_.patch;
    const std::int64_t columns = pixels.size(3) / sizes_.patch;
    if (rows == 0 || columns == 0)
      base::fail(base::ExitCode::kMismatch,
                 "DINOv3 takes pictures of at least " + std::to_string(sizes_.patch) + " x " +
                     std::to_string(sizes_.patch) + " pixels, not " + std::to_string(pixels.size(3)) + " x " +
                     std::to_string(pixels.size(2)));
    torch::Tensor x = at::cat({prefix_.unsqueeze(0).expand({n, prefix_.size(0), sizes_.width}),
                               embed_patches(patch_, sizes_.patch, pixels)},
                              1);
    const Rotation rotation = rotation_of(rows, columns);
    x = run_blocks(blocks_, sizes_.block(), x, {}, &rotation);
    return apply(norm_, x.select(1, 0).contiguous()).to(torch::kFloat32);
  }

  int dimension() const override { return static_cast<int>(sizes_.width); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    visit(patch_, move);
    move(prefix_);
    for (Block& block : blocks_) visit(block, move);
    visit(norm_, move);
    // Angles are computed in float32.
    periods_ = periods_.to(device);
  }

  double flops_per_image(int height, int width) const override {
    const auto patches = static_cast<double>((height / sizes_.patch) * (width / sizes_.patch));
    const double tokens = patches + 1.0 + static_cast<double>(sizes_.registers);
    return 2.0 * patches * static_cast<double>(patch_.weight.numel()) +
           sizes_.layers * block_flops(sizes_.block(), tokens);
  }

  double forward_bytes(double count, double height, double width) const override {
    const auto d = static_cast<double>(sizes_.width);
    const auto element = static_cast<double>(patch_.weight.element_size());
    const double patches = std::floor(height / static_cast<double>(sizes_.patch)) *
                           std::floor(width / static_cast<double>(sizes_.patch));
    const double tokens = patches + static_cast<double>(prefix_.size(0));
    // Coordinates, angles, their cosines and sines.
    const double angles = sizeof(float) * patches * (4.0 + 3.0 * static_cast<double>(sizes_.head_width()));
    return std::max(embed_patches_bytes(patch_, count, patches),
                    element * count * (patches + tokens) * d + angles +
                        run_blocks_bytes(blocks_, sizes_.block(), count, tokens));
  }

 private:
  /// Angles of a grid's patches: 2 pi times the row's place in [-1, 1] by each period, then the column's.
  Rotation rotation_of(std::int64_t rows, std::int64_t columns) const {
    const auto places = [&](std::int64_t count) {
      return (at::arange(count, periods_.options()) + 0.5) / static_cast<double>(count) * 2.0 - 1.0;
    };
    const std::int64_t quarter = periods_.size(0);
    const auto angles = [&](const torch::Tensor& place) {
      return 2.0 * std::numbers::pi * place.unsqueeze(-1) / periods_;
    };
    const torch::Tensor vertical = angles(places(rows)).unsqueeze(1).expand({rows, columns, quarter});
    const torch::Tensor horizontal = angles(places(columns)).unsqueeze(0).expand({rows, columns, quarter});
    const torch::Tensor all = at::cat({vertical, horizontal}, -1).view({rows * columns, 2 * quarter});
    return {all.cos(), all.sin(), prefix_.size(0)};
  }

  DinoV3Sizes sizes_;
  std::int64_t parameters_;
  Linear patch_;
  torch::Tensor prefix_;  ///< Class token, then the registers: [1 + r, width].
  std::vector<Block> blocks_;
  LayerNorm norm_;
  torch::Tensor periods_;  ///< [head width / 4], float32
};

}  // namespace

WeightShapes weight_shapes(const DinoV3Sizes& sizes) {
  using Role = WeightShape::Role;
  const std::int64_t d = sizes.width;
  WeightShapes shapes = {{"cls_token", {1, 1, d}},
                         {"mask_token", {1, d}, Role::kUnusedParameter},
                         {kPeriods, {sizes.head_width() / 4}, Role::kOptionalBuffer},
                         {"patch_embed.proj.weight", {d, 3, sizes.patch, sizes.patch}},
                         {"patch_embed.proj.bias", {d}},
                         {"norm.weight", {d}},
                         {"norm.bias", {d}}};
  if (sizes.registers > 0) shapes.push_back({"storage_tokens", {1, sizes.registers, d}});
  if (sizes.local_norm) {
    shapes.push_back({"local_cls_norm.weight", {d}, Role::kUnusedParameter});
    shapes.push_back({"local_cls_norm.bias", {d}, Role::kUnusedParameter});
  }
  const auto add_linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    shapes.push_back({name + ".weight", {out, in}});
    shapes.push_back({name + ".bias", {out}});
  };
  for (int i = 0; i < sizes.layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    for (const char* norm : {"norm1", "norm2"}) {
      shapes.push_back({block + norm + ".weight", {d}});
      shapes.push_back({block + norm + ".bias", {d}});
    }
    shapes.push_back({block + "attn.qkv.weight", {3 * d, d}});
    if (sizes.biased) {
      shapes.push_back({block + "attn.qkv.bias", {3 * d}, Role::kOptionalParameter});
      shapes.push_back({block + "attn.qkv.bias_mask", {3 * d}, Role::kOptionalBuffer});
    }
    add_linear(block + "attn.proj", d, d);
    shapes.push_back({block + "ls1.gamma", {d}});
    shapes.push_back({block + "ls2.gamma", {d}});
    if (sizes.activation == Activation::kSwiGlu) {
      add_linear(block + "mlp.w1", sizes.hidden, d);
      add_linear(block + "mlp.w2", sizes.hidden, d);
      add_linear(block + "mlp.w3", d, sizes.hidden);
    } else {
      add_linear(block + "mlp.fc1", sizes.hidden, d);
      add_linear(block + "mlp.fc2", d, sizes.hidden);
    }
  }
  return shapes;
}

DinoV3Sizes read_dinov3_sizes(const TensorMap& tensors, std::int64_t heads) {
  DinoV3Sizes sizes;
  const bool gated = tensors.contains("blocks.0.mlp.w1.weight");
  sizes.width = dimension_of(tensors, "patch_embed.proj.weight", 0);
  sizes.layers = count_layers(tensors, "blocks.", ".attn.qkv.weight");
  sizes.heads = heads > 0 ? heads : sizes.width / 64;
  sizes.hidden = dimension_of(tensors, gated ? "blocks.0.mlp.w3.weight" : "blocks.0.mlp.fc2.weight", 1);
  sizes.patch = dimension_of(tensors, "patch_embed.proj.weight", 2);
  sizes.registers = dimension_of(tensors, "storage_tokens", 1);
  sizes.activation = gated ? Activation::kSwiGlu : Activation::kGelu;
  sizes.biased = tensors.contains("blocks.0.attn.qkv.bias");
  sizes.local_norm = tensors.contains("local_cls_norm.weight");
  return sizes;
}

std::unique_ptr<Network> make_dinov3(const DinoV3Sizes& sizes, const TensorMap& tensors) {
  return std::make_unique<DinoV3>(sizes, tensors);
}

}  // namespace quasar::encoder
