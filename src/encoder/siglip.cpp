#include "encoder/siglip.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-6;
const std::string kPool = "attn_pool.";

Block take_block(const TensorMap& tensors, const std::string& name) {
  return {take_norm(tensors, name + "norm1.", kEpsilon), take_linear(tensors, name + "attn.qkv."),
          take_linear(tensors, name + "attn.proj."),     take_norm(tensors, name + "norm2.", kEpsilon),
          take_linear(tensors, name + "mlp.fc1."),       take_linear(tensors, name + "mlp.fc2.")};
}

class SigLip final : public Network {
 public:
  SigLip(const SigLipSizes& sizes, const TensorMap& tensors)
      : sizes_(sizes), parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    const std::int64_t d = sizes.width;
    patch_ = {take(tensors, "patch_embed.proj.weight").flatten(1), take(tensors, "patch_embed.proj.bias")};
    position_rows_ = take(tensors, "pos_embed")[0];
    for (int i = 0; i < sizes.layers; ++i)
      blocks_.push_back(take_block(tensors, "blocks." + std::to_string(i) + "."));
    norm_ = take_norm(tensors, "norm.", kEpsilon);
    // The query is the same for every picture; a bias of the keys adds the same to all scores of a head.
    const Linear pool = take_linear(tensors, kPool + "qkv.");
    query_ = at::linear(take(tensors, kPool + "latent")[0], pool.weight.narrow(0, 0, d),
                        pool.bias.narrow(0, 0, d));
    key_ = pool.weight.narrow(0, d, d);
    value_ = {pool.weight.narrow(0, 2 * d, d), pool.bias.narrow(0, 2 * d, d)};
    output_ = take_linear(tensors, kPool + "proj.");
    pool_norm_ = take_norm(tensors, kPool + "norm.", kEpsilon);
    expand_ = take_linear(tensors, kPool + "mlp.fc1.");
    contract_ = take_linear(tensors, kPool + "mlp.fc2.");
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    const std::int64_t grid = sizes_.grid();
    if (pixels.size(2) / sizes_.patch != grid || pixels.size(3) / sizes_.patch != grid)
      base::fail(base::ExitCode::kMismatch,
                 "this SigLIP takes pictures of " + std::to_string(grid) + " x " + std::to_string(grid) +
                     " patches of " + std::to_string(sizes_.patch) + " pixels, not " +
                     std::to_string(pixels.size(3)) + " x " + std::to_string(pixels.size(2)) + " pixels");
    torch::Tensor x = embed_patches(patch_, sizes_.patch, pixels).add_(position_rows_);
    x = apply(norm_, run_blocks(blocks_, sizes_.block(), x, {}));
    const torch::Tensor query = query_.expand({x.size(0), sizes_.width});
    x = apply(output_, single_query_attention(query, x, key_, value_, sizes_.heads));
    const torch::Tensor hidden = at::gelu(apply(expand_, apply(pool_norm_, x)), "tanh");
    return (x + apply(contract_, hidden)).to(torch::kFloat32);
  }

  int dimension() const override { return static_cast<int>(sizes_.width); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    visit(patch_, move);
    move(position_rows_);
    for (Block& block : blocks_) visit(block, move);
    visit(norm_, move);
    move(query_);
    move(key_);
    for (Linear* linear : {&value_, &output_, &expand_, &contract_}) visit(*linear, move);
    visit(pool_norm_, move);
  }

  double flops_per_image(int /*height*/, int /*width*/) const override {
    const auto tokens = static_cast<double>(sizes_.position_rows);
    return 2.0 * tokens * static_cast<double>(patch_.weight.numel()) +
           sizes_.layers * block_flops(sizes_.block(), tokens) +
           first_token_block_flops(sizes_.block(), tokens);
  }

  double forward_bytes(double count, double /*height*/, double /*width*/) const override {
    const BlockSizes sizes = sizes_.block();
    const auto tokens = static_cast<double>(sizes_.position_rows);
    const auto width = static_cast<double>(sizes_.width);
    const auto element = static_cast<double>(key_.element_size());
    const double pooling =
        count * tokens * width * sizeof(float) + norm_bytes(norm_, count * tokens) +
        single_query_attention_bytes(count, tokens, width, static_cast<double>(sizes_.heads), element) +
        count * element * (4.0 * width + 2.0 * static_cast<double>(sizes_.hidden));
    return std::max({embed_patches_bytes(patch_, count, tokens),
                     run_blocks_bytes(blocks_, sizes, count, tokens), pooling});
  }

 private:
  SigLipSizes sizes_;
  std::int64_t parameters_;
  Linear patch_;
  torch::Tensor position_rows_;  ///< [patches, width]
  std::vector<Block> blocks_;
  LayerNorm norm_;
  torch::Tensor query_;  ///< [1, width], projected
  torch::Tensor key_;    ///< [width, width]
  Linear value_;
  Linear output_;
  LayerNorm pool_norm_;
  Linear expand_;
  Linear contract_;
};

}  // namespace

WeightShapes weight_shapes(const SigLipSizes& sizes) {
  const std::int64_t d = sizes.width;
  WeightShapes shapes = {{"patch_embed.proj.weight", {d, 3, sizes.patch, sizes.patch}},
                         {"patch_embed.proj.bias", {d}},
                         {"pos_embed", {1, sizes.position_rows, d}},
                         {kPool + "latent", {1, 1, d}}};
  const auto add_linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    shapes.push_back({name + ".weight", {out, in}});
    shapes.push_back({name + ".bias", {out}});
  };
  const auto add_norm = [&](const std::string& name) {
    shapes.push_back({name + ".weight", {d}});
    shapes.push_back({name + ".bias", {d}});
  };
  for (int i = 0; i < sizes.layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    add_norm(block + "norm1");
    add_linear(block + "attn.qkv", 3 * d, d);
    add_linear(block + "attn.proj", d, d);
    add_norm(block + "norm2");
    add_linear(block + "mlp.fc1", sizes.hidden, d);
    add_linear(block + "mlp.fc2", d, sizes.hidden);
  }
  add_norm("norm");
  add_linear(kPool + "qkv", 3 * d, d);
  add_linear(kPool + "proj", d, d);
  add_norm(kPool + "norm");
  add_linear(kPool + "mlp.fc1", sizes.hidden, d);
  add_linear(kPool + "mlp.fc2", d, sizes.hidden);
  return shapes;
}

SigLipSizes read_siglip_sizes(const TensorMap& tensors, std::int64_t heads) {
  SigLipSizes sizes;
  sizes.width = dimension_of(tensors, "patch_embed.proj.weight", 0);
  sizes.layers = count_layers(tensors, "blocks.", ".attn.qkv.weight");
  sizes.heads = heads > 0 ? heads : sizes.width / 64;
  sizes.hidden = dimension_of(tensors, "blocks.0.mlp.fc1.weight", 0);
  sizes.patch = dimension_of(tensors, "patch_embed.proj.weight", 2);
  sizes.position_rows = dimension_of(tensors, "pos_embed", 1);
  return sizes;
}

std::unique_ptr<Network> make_siglip(const SigLipSizes& sizes, const TensorMap& tensors) {
  return std::make_unique<SigLip>(sizes, tensors);
}

}  // namespace quasar::encoder
