// Internal to the module: the visual tower of CoCa as open_clip builds it (Yu et al., arXiv 2205.01917):
// CLIP's ViT trunk with an attentional pooler. Its embeddings have unit norm, as open_clip's encode_image
// gives by default.
#pragma once

#include <memory>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/weights_loader.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const CocaSizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. Heads as given, or of 64 (trunk) and 8
/// (pooler).
CocaSizes read_coca_sizes(const TensorMap& tensors, std::int64_t heads, std::int64_t pooler_heads);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_coca(const CocaSizes& sizes, const TensorMap& tensors);

}  // namespace quasar::encoder
