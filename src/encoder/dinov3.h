// Internal to the module: DINOv3's vision transformer (Siméoni et al., arXiv 2508.10104). The embedding is
// the class token; places of patches turn queries and keys (RoPE), so pictures of any size are taken, and
// what is left of a side beyond whole patches is not looked at.
#pragma once

#include <cstdint>
#include <memory>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/transformer.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const DinoV3Sizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. Heads as given, or of 64 where 0.
DinoV3Sizes read_dinov3_sizes(const TensorMap& tensors, std::int64_t heads);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_dinov3(const DinoV3Sizes& sizes, const TensorMap& tensors);

}  // namespace quasar::encoder
