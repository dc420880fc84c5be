// Internal to the module: DINOv2's vision transformer (Oquab et al., arXiv 2304.07193), with or without
// register tokens (Darcet et al., arXiv 2309.16588). The embedding is the class token; positions are
// interpolated, so any picture whose sides are multiples of the patch is taken.
#pragma once

#include <cstdint>
#include <memory>

#include "encoder/network.h"
#include "encoder/transformer.h"

namespace quasar::encoder {

struct DinoV2Sizes {
  std::int64_t width = 1024;
  int layers = 24;
  std::int64_t heads = 16;
  std::int64_t hidden = 4096;  ///< Length of the vector that the last layer of a block's network takes.
  std::int64_t patch = 14;
  std::int64_t position_rows = 1370;  ///< 1 + (training side / patch)^2.
  std::int64_t registers = 0;         ///< Models with registers also interpolate positions in another way.
  Activation activation = Activation::kGelu;

  BlockSizes block() const { return {width, hidden, heads, activation}; }
};

WeightShapes weight_shapes(const DinoV2Sizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. Heads as given, or of 64 where 0.
DinoV2Sizes read_dinov2_sizes(const TensorMap& tensors, std::int64_t heads);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_dinov2(const DinoV2Sizes& sizes, const TensorMap& tensors);

}  // namespace quasar::encoder
