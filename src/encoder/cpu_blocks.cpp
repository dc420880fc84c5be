#include "encoder/cpu_blocks.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "encoder/cpu_kernels.h"

namespace quasar::encoder::cpu {
namespace {

/// Rows that go through a block together: enough for a product to pay for packing the weights.
constexpr std::int64_t kRowsAtOnce = 2048;

/// Biases and norms of a block in float32, as the kernels want them.
struct Vectors {
  explicit Vectors(const Block& block)
      : norm1_weight(block.norm1.weight.to(torch::kFloat32)),
        norm1_bias(block.norm1.bias.to(torch::kFloat32)),
        norm2_weight(block.norm2.weight.to(torch::kFloat32)),
        norm2_bias(block.norm2.bias.to(torch::kFloat32)),
        projection(block.projection.bias.to(torch::kFloat32)),
        expand(block.expand.bias.to(torch::kFloat32)),
        contract(block.contract.bias.to(torch::kFloat32)) {}

  torch::Tensor norm1_weight;
  torch::Tensor norm1_bias;
  torch::Tensor norm2_weight;
  torch::Tensor norm2_bias;
  torch::Tensor projection;
  torch::Tensor expand;
  torch::Tensor contract;
};

/// Of each row, what a product packs for its inner loops at a time: the BLAS libraries' depth of a block of
/// float32, from above (OpenBLAS 0.3: 256 to 448 on x86, driver/level3/level3.c and param.h).
constexpr double kPackedDepth = 512.0;

/// Buffers for `pictures` pictures of t tokens.
class Workspace {
 public:
  Workspace(const BlockSizes& sizes, std::int64_t pictures, std::int64_t t, torch::ScalarType type)
      : sizes_(sizes) {
    const std::int64_t rows = pictures * t;
    const bool gated = sizes.activation == Activation::kSwiGlu;
    normed_ = at::empty({rows, sizes.width}, type);
    qkv_ = at::empty({pictures, t, 3 * sizes.width}, type);
    mixed_ = at::empty({pictures, t, sizes.width}, type);
    scores_ = at::empty({sizes.heads, t, t}, type);
    added_ = at::empty({rows, sizes.width}, type);
    hidden_ = at::empty({rows, gated ? 2 * sizes.hidden : sizes.hidden}, type);
    if (gated) gated_ = at::empty({rows, sizes.hidden}, type);
  }

  /// x [n, t, d] of at most `pictures` pictures, in place.
  void run(const Block& block, const Vectors& vectors, torch::Tensor x, const torch::Tensor& mask,
           const Rotation* rotation) {
    const std::int64_t n = x.size(0);
    const std::int64_t t = x.size(1);
    const std::int64_t rows = n * t;
    torch::Tensor normed = normed_.narrow(0, 0, rows);
    torch::Tensor qkv = qkv_.narrow(0, 0, n);
    torch::Tensor flat_qkv = qkv.view({rows, 3 * sizes_.width});
    torch::Tensor added = added_.narrow(0, 0, rows);
    layer_norm(x, vectors.norm1_weight, vectors.norm1_bias, block.norm1.epsilon, normed);
    at::addmm_out(flat_qkv, block.qkv.bias, normed, block.qkv.weight.t());
    if (rotation != nullptr) rotate_(qkv, sizes_.heads, *rotation);
    const torch::Tensor mixed = attend(qkv, mask);
    at::mm_out(added, mixed.view({rows, sizes_.width}), block.projection.weight.t());
    add_residual(added, vectors.projection, x);

    torch::Tensor hidden = hidden_.narrow(0, 0, rows);
    layer_norm(x, vectors.norm2_weight, vectors.norm2_bias, block.norm2.epsilon, normed);
    at::mm_out(hidden, normed, block.expand.weight.t());
    at::mm_out(added, activate(hidden, vectors), block.contract.weight.t());
    add_residual(added, vectors.contract, x);
  }

 private:
  torch::Tensor activate(torch::Tensor& hidden, const Vectors& vectors) {
    switch (sizes_.activation) {
      case Activation::kGelu:
        bias_gelu_(hidden, vectors.expand);
        return hidden;
      case Activation::kGeluTanh:
        bias_gelu_tanh_(hidden, vectors.expand);
        return hidden;
      case Activation::kQuickGelu:
        bias_silu_(hidden, vectors.expand);
        return hidden;
      case Activation::kSwiGlu:
        break;
    }
    torch::Tensor gated = gated_.narrow(0, 0, hidden.size(0));
    bias_swiglu(hidden, vectors.expand, gated);
    return gated;
  }

  /// qkv [n, t, 3 d] -> [n, t, d], one picture at a time: its scores stay in the cache.
  torch::Tensor attend(const torch::Tensor& qkv, const torch::Tensor& mask) {
    const std::int64_t n = qkv.size(0);
    const std::int64_t t = qkv.size(1);
    const std::int64_t width = sizes_.width / sizes_.heads;
    const double scale = 1.0 / std::sqrt(static_cast<double>(width));
    for (std::int64_t i = 0; i < n; ++i) {
      // [3, heads, t, width], a view
      const torch::Tensor parts = qkv[i].view({t, 3, sizes_.heads, width}).permute({1, 2, 0, 3});
      at::bmm_out(scores_, parts[0], parts[1].transpose(1, 2));
      if (mask.defined()) {
        scores_.mul_(scale).add_(mask.dim() == 3 ? mask[i] : mask);
        softmax_(scores_, 1.0);
      } else {
        softmax_(scores_, scale);
      }
      torch::Tensor mixed = mixed_[i].view({t, sizes_.heads, width}).transpose(0, 1);
      at::bmm_out(mixed, scores_, parts[2]);
    }
    return mixed_.narrow(0, 0, n);
  }

  BlockSizes sizes_;
  torch::Tensor normed_;
  torch::Tensor qkv_;
  torch::Tensor mixed_;
  torch::Tensor scores_;
  torch::Tensor added_;
  torch::Tensor hidden_;
  torch::Tensor gated_;
};

}  // namespace

bool takes(std::span<const Block> blocks) {
  if (blocks.empty()) return false;
  const torch::Tensor& weight = blocks.front().qkv.weight;
  return weight.is_cpu() &&
         (weight.scalar_type() == torch::kFloat32 || weight.scalar_type() == torch::kBFloat16);
}

torch::Tensor run_blocks(std::span<const Block> blocks, const BlockSizes& sizes, const torch::Tensor& x,
                         const torch::Tensor& mask, const Rotation* rotation) {
  const std::int64_t n = x.size(0);
  const std::int64_t t = x.size(1);
  // Parts of equal size, as far as they go.
  const std::int64_t limit = std::max<std::int64_t>(kRowsAtOnce / t, 1);
  const std::int64_t parts = std::max<std::int64_t>((n + limit - 1) / limit, 1);
  const std::int64_t pictures = std::max<std::int64_t>((n + parts - 1) / parts, 1);
  Workspace workspace(sizes, pictures, t, blocks.front().qkv.weight.scalar_type());
  torch::Tensor stream = x.to(torch::kFloat32).contiguous();
  for (const Block& block : blocks) {
    const Vectors vectors(block);
    for (std::int64_t first = 0; first < n; first += pictures) {
      const std::int64_t count = std::min(pictures, n - first);
      const bool own_masks = mask.defined() && mask.dim() == 3;
      workspace.run(block, vectors, stream.narrow(0, first, count),
                    own_masks ? mask.narrow(0, first, count) : mask, rotation);
    }
  }
  return stream;
}

double run_blocks_bytes(std::span<const Block> blocks, const BlockSizes& sizes, double n, double t) {
  const auto element = static_cast<double>(blocks.front().qkv.weight.element_size());
  const auto d = static_cast<double>(sizes.width);
  const auto hidden = static_cast<double>(sizes.hidden);
  // As in run_blocks; parts of equal size only make it less.
  const double rows = std::min(n * t, std::max(static_cast<double>(kRowsAtOnce), t));
  const double mlp = (sizes.activation == Activation::kSwiGlu ? 3.0 : 1.0) * hidden;
  const double workspace = rows * (6.0 * d + mlp) + static_cast<double>(sizes.heads) * t * t;
  const double stream = n * t * d * (sizeof(float) + (element < sizeof(float) ? element : 0.0));
  return stream + element * workspace + sizeof(float) * kPackedDepth * rows +
         (sizes.rotated ? rotation_bytes(sizes, rows) : 0.0);
}

}  // namespace quasar::encoder::cpu
