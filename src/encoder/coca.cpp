#include "encoder/coca.h"

#include "encoder/vision_transformer.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <string>

namespace quasar::encoder {
namespace {

constexpr double kEpsilon = 1e-5;
const std::string kRoot = "visual.";
const std::string kPool = "visual.attn_pool.";

class Coca final : public Network {
 public:
  Coca(const CocaSizes& sizes, const TensorMap& tensors)
      : sizes_(sizes),
        trunk_(sizes.trunk, tensors),
        parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    const std::int64_t d = sizes.trunk.embedding;
    const torch::Tensor biases = take(tensors, kPool + "attn.in_proj_bias");
    // Only the first query reaches the embedding, and it is the same for every picture.
    const torch::Tensor query =
        apply(take_norm(tensors, kPool + "ln_q.", kEpsilon), take(tensors, kPool + "query").narrow(0, 0, 1));
    query_ = at::linear(query, take(tensors, kPool + "attn.q_proj_weight"), biases.narrow(0, 0, d));
    norm_keys_ = take_norm(tensors, kPool + "ln_k.", kEpsilon);
    key_ = take(tensors, kPool + "attn.k_proj_weight");
    value_ = {take(tensors, kPool + "attn.v_proj_weight"), biases.narrow(0, 2 * d, d).contiguous()};
    output_ = take_linear(tensors, kPool + "attn.out_proj.");
    norm_after_ = take_norm(tensors, kRoot + "ln_post.", kEpsilon);
    projection_ = take(tensors, kRoot + "proj").t().contiguous();
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    torch::Tensor x = run_blocks(trunk_.blocks, trunk_.sizes.block(), trunk_.embed(pixels), {});
    const torch::Tensor tokens = apply(norm_keys_, x);
    const torch::Tensor query = query_.expand({x.size(0), query_.size(1)});
    x = single_query_attention(query, tokens, key_, value_, sizes_.pooler_heads);
    x = at::linear(apply(norm_after_, apply(output_, x)), projection_).to(torch::kFloat32);
    return x / x.norm(2, {1}, true);
  }

  int dimension() const override { return static_cast<int>(sizes_.trunk.embedding); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    trunk_.visit_all(move);
    move(query_);
    visit(norm_keys_, move);
    move(key_);
    visit(value_, move);
    visit(output_, move);
    visit(norm_after_, move);
    move(projection_);
  }

  double flops_per_image(int /*height*/, int /*width*/) const override {
    const VisionTransformerSizes& trunk = sizes_.trunk;
    const double tokens = static_cast<double>(trunk.position_rows);
    const double width = static_cast<double>(trunk.width);
    const double embedding = static_cast<double>(trunk.embedding);
    return 2.0 * static_cast<double>((trunk.position_rows - 1) * trunk_.patch.weight.numel()) +
           trunk.layers * block_flops(trunk.block(), tokens) + 4.0 * embedding * (width + embedding) +
           4.0 * tokens * width * static_cast<double>(sizes_.pooler_heads);
  }

  double forward_bytes(double count, double /*height*/, double /*width*/) const override {
    const auto tokens = static_cast<double>(sizes_.trunk.position_rows);
    const auto width = static_cast<double>(sizes_.trunk.width);
    const auto element = static_cast<double>(key_.element_size());
    const double pooling =
        count * tokens * width * sizeof(float) + norm_bytes(norm_keys_, count * tokens) +
        single_query_attention_bytes(count, tokens, width, static_cast<double>(sizes_.pooler_heads), element);
    return std::max({trunk_.embed_bytes(count),
                     run_blocks_bytes(trunk_.blocks, sizes_.trunk.block(), count, tokens), pooling});
  }

 private:
  CocaSizes sizes_;
  VisionTrunk trunk_;
  std::int64_t parameters_;
  torch::Tensor query_;  ///< [1, embedding], projected
  LayerNorm norm_keys_;
  torch::Tensor key_;  ///< [embedding, width]
  Linear value_;       ///< [embedding, width]
  Linear output_;
  LayerNorm norm_after_;
  torch::Tensor projection_;  ///< [embedding, embedding]
};

}  // namespace

WeightShapes weight_shapes(const CocaSizes& sizes) {
  const std::int64_t d = sizes.trunk.embedding;
  const std::int64_t width = sizes.trunk.width;
  WeightShapes shapes = trunk_shapes(sizes.trunk);
  const WeightShapes pooler = {{kPool + "query", {sizes.queries, d}},
                               {kPool + "attn.q_proj_weight", {d, d}},
                               {kPool + "attn.k_proj_weight", {d, width}},
                               {kPool + "attn.v_proj_weight", {d, width}},
                               {kPool + "attn.in_proj_bias", {3 * d}},
                               {kPool + "attn.out_proj.weight", {d, d}},
                               {kPool + "attn.out_proj.bias", {d}},
                               {kPool + "ln_q.weight", {d}},
                               {kPool + "ln_q.bias", {d}},
                               {kPool + "ln_k.weight", {width}},
                               {kPool + "ln_k.bias", {width}},
                               {kRoot + "ln_post.weight", {d}},
                               {kRoot + "ln_post.bias", {d}},
                               {kRoot + "proj", {d, d}}};
  shapes.insert(shapes.end(), pooler.begin(), pooler.end());
  return shapes;
}

CocaSizes read_coca_sizes(const TensorMap& tensors, std::int64_t heads, std::int64_t pooler_heads) {
  CocaSizes sizes;
  sizes.trunk = read_vision_transformer_sizes(tensors, heads, Activation::kGelu);
  sizes.queries = dimension_of(tensors, kPool + "query", 0);
  sizes.pooler_heads = pooler_heads > 0 ? pooler_heads : 8;
  return sizes;
}

std::unique_ptr<Network> make_coca(const CocaSizes& sizes, const TensorMap& tensors) {
  return std::make_unique<Coca>(sizes, tensors);
}

}  // namespace quasar::encoder
