// Internal to the module: DINOv2's vision transformer (Oquab et al., arXiv 2304.07193), with or without
// register tokens (Darcet et al., arXiv 2309.16588). The embedding is the class token; positions are
// interpolated, so any picture whose sides are multiples of the patch is taken.
#pragma once

#include <cstdint>
#include <memory>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/transformer.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const DinoV2Sizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. Heads as given, or of 64 where 0.
DinoV2Sizes read_dinov2_sizes(const TensorMap& tensors, std::int64_t heads);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_dinov2(const DinoV2Sizes& sizes, const TensorMap& tensors);

}  // namespace quasar::encoder
