// Internal to the module: CLIP's VisionTransformer as OpenAI and open_clip publish it (ViT-B/32 to
// ViT-bigG/14).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/transformer.h"

namespace quasar::encoder {

/// The trunk that CLIP's ViT and CoCa share: everything before the pooling.
WeightShapes trunk_shapes(const VisionTransformerSizes& sizes);
WeightShapes weight_shapes(const VisionTransformerSizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. The number of heads is no shape: `heads`
/// is taken, or heads of 64 where it is 0.
VisionTransformerSizes read_vision_transformer_sizes(const TensorMap& tensors, std::int64_t heads,
                                                     Activation activation);

/// Weights of the trunk.
struct VisionTrunk {
  VisionTrunk(const VisionTransformerSizes& sizes, const TensorMap& tensors);

  /// Pixels [n, 3, side, side] -> normalised tokens [n, 1 + patches, width] before the first block. Throws
  /// Error(kMismatch) for another side.
  torch::Tensor embed(const torch::Tensor& pixels) const;
  /// Bytes of embed() at its peak for n pictures, from above, with its result and without the pixels.
  double embed_bytes(double n) const;
  void visit_all(const TensorVisitor& visitor);

  VisionTransformerSizes sizes;
  Linear patch;
  torch::Tensor class_token;    ///< [1, width]: class embedding plus its positional row.
  torch::Tensor position_rows;  ///< [patches, width]
  LayerNorm norm_before;
  std::vector<Block> blocks;
};

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_vision_transformer(const VisionTransformerSizes& sizes,
                                                 const TensorMap& tensors);

}  // namespace quasar::encoder
