// Internal to the module: transformer blocks on a CPU, without the passes over memory that LibTorch's
// separate operators make.
#pragma once

#include <span>

#include "encoder/transformer.h"

namespace quasar::encoder::cpu {

/// Whether run_blocks takes these: on the CPU, with weights in float32 or bfloat16.
bool takes(std::span<const Block> blocks);

/// All blocks over x [n, t, d], which may be overwritten; returns [n, t, d] in float32, whatever the weights'
/// type: the residual stream is kept in full precision. The products go to LibTorch's GEMM, a few pictures at
/// a time, so that what a kernel reads is still in the cache, into buffers that are allocated once. `mask` as
/// in self_attention, `rotation` as in rotate_; null where nothing is rotated.
torch::Tensor run_blocks(std::span<const Block> blocks, const BlockSizes& sizes, const torch::Tensor& x,
                         const torch::Tensor& mask, const Rotation* rotation = nullptr);

/// Bytes at the peak of run_blocks for n pictures of t tokens, from above, with x and without the weights.
double run_blocks_bytes(std::span<const Block> blocks, const BlockSizes& sizes, double n, double t);

}  // namespace quasar::encoder::cpu
