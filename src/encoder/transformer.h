// Internal to the module: what all transformers here are made of. Weights are prepared once; the functions
// are pure and thread-safe.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "encoder/model_sizes.h"
#include "encoder/weights_loader.h"

namespace quasar::encoder {

struct Linear {
  torch::Tensor weight;  ///< [out, in]
  torch::Tensor bias;    ///< [out], or undefined.
};

struct LayerNorm {
  torch::Tensor weight;  ///< [d]
  torch::Tensor bias;    ///< [d]
  double epsilon = 1e-5;
};

/// A pre-normalised residual block: x += proj(attention(norm1 x)); x += contract(act(expand(norm2 x))).
/// Constant factors (layer scale, the 1.702 of QuickGELU) are folded into the weights.
struct Block {
  LayerNorm norm1;
  Linear qkv;         ///< [3d, d]; rows q, k, v.
  Linear projection;  ///< [d, d]
  LayerNorm norm2;
  Linear expand;
  Linear contract;
};

/// Every tensor of a weight holder, for moving and converting them all.
using TensorVisitor = std::function<void(torch::Tensor&)>;
void visit(Linear& linear, const TensorVisitor& visitor);
void visit(LayerNorm& norm, const TensorVisitor& visitor);
void visit(Block& block, const TensorVisitor& visitor);

Linear take_linear(const TensorMap& tensors, const std::string& prefix);
LayerNorm take_norm(const TensorMap& tensors, const std::string& prefix, double epsilon);

/// Folds constants so that `run_mlp` needs one activation pass: QuickGELU(x) = silu(1.702 x) / 1.702.
void fold_activation(Block& block, Activation activation);

/// Multiplies what a linear map gives by `factor` [out] (layer scale): folded into the map.
void fold_scale(Linear& linear, const torch::Tensor& factor);

/// Blocks named as CLIP names them: `prefix`resblocks.N.{ln_1, attn.in_proj_weight, ...}.
WeightShapes clip_block_shapes(const std::string& prefix, int layers, const BlockSizes& sizes);
std::vector<Block> take_clip_blocks(const TensorMap& tensors, const std::string& prefix, int layers,
                                    const BlockSizes& sizes);

torch::Tensor apply(const Linear& linear, const torch::Tensor& x);
torch::Tensor apply(const LayerNorm& norm, const torch::Tensor& x);

/// Rotary position embedding (Su et al., arXiv 2104.09864) of patches: angles by token and channel.
struct Rotation {
  torch::Tensor cosine;    ///< [patches, head width / 2], float32
  torch::Tensor sine;      ///< As `cosine`.
  std::int64_t first = 0;  ///< Tokens before this one stay as they are; the patches follow.
};

/// Turns channels c and c + w / 2 of the queries and keys of every head of width w by the patch's angle c, in
/// float32: qkv [n, t, 3 * heads * w], in place.
void rotate_(const torch::Tensor& qkv, std::int64_t heads, const Rotation& rotation);

/// Softmax attention of every token to every token. qkv [n, t, 3 * heads * w] -> [n, t, heads * w], scale
/// 1/sqrt(w). `mask` is added to the scores: [t, t], [n, t, t], or undefined.
torch::Tensor self_attention(const torch::Tensor& qkv, std::int64_t heads, const torch::Tensor& mask);

/// Attention of one query per row to all tokens: query [n, d] (projected), tokens [n, t, c] (not projected)
/// with the projections key [d, c] and value [d, c] -> [n, d]. The projections are applied to the query and
/// to the weighted sum instead of to all tokens, which is the same by linearity and costs 1/t of it; a bias
/// of the keys adds the same to every score of a head and so drops out.
torch::Tensor single_query_attention(const torch::Tensor& query, const torch::Tensor& tokens,
                                     const torch::Tensor& key, const Linear& value, std::int64_t heads);

/// Runs all blocks: x [n, t, d] -> [n, t, d]; x may be overwritten. With a rotation where `sizes` says so.
torch::Tensor run_blocks(std::span<const Block> blocks, const BlockSizes& sizes, torch::Tensor x,
                         const torch::Tensor& mask, const Rotation* rotation = nullptr);

/// The block's output at the first token alone: x [n, t, d] -> [n, d].
torch::Tensor run_block_first_token(const Block& block, const BlockSizes& sizes, const torch::Tensor& x);

/// Pixels [n, 3, h * p, w * p] -> patch tokens [n, h * w, d], row-major, with the convolution as a matrix [d,
/// 3 p p]. What is left at the right and the bottom is not looked at.
torch::Tensor embed_patches(const Linear& patch, std::int64_t patch_size, const torch::Tensor& pixels);

/// Floating-point operations of the matrix products, per image, of one of `run_blocks` and of
/// `run_block_first_token`.
double block_flops(const BlockSizes& sizes, double tokens);
double first_token_block_flops(const BlockSizes& sizes, double tokens);

// Bytes at the peak of the functions above, from above, with their arguments' and their results' but without
// the weights', for n pictures of t tokens. Doubles do not overflow for any picture.
double run_blocks_bytes(std::span<const Block> blocks, const BlockSizes& sizes, double n, double t);
double first_token_block_bytes(const Block& block, const BlockSizes& sizes, double n, double t);
/// Without the query and the tokens; c is the tokens' length.
double single_query_attention_bytes(double n, double t, double c, double heads, double element);
/// The patches of the pixels as rows, and what comes of them; without the pixels.
double embed_patches_bytes(const Linear& patch, double n, double patches);
/// What rotate_ makes beside qkv, for that many tokens.
double rotation_bytes(const BlockSizes& sizes, double tokens);
/// A layer norm's result for x [rows, d], and the copies that it makes, without x.
double norm_bytes(const LayerNorm& norm, double rows);

}  // namespace quasar::encoder
