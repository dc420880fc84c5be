// Internal to the module: the image tower of SigLIP (Zhai et al., arXiv 2303.15343) and of SigLIP 2 with
// fixed resolution (Tschannen et al., arXiv 2502.14786): a vision transformer without class token, pooled by
// one learned query. The embedding is what the pool gives; nothing projects it.
#pragma once

#include <cstdint>
#include <memory>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/transformer.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const SigLipSizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not. Heads as given, or of 64 where 0.
SigLipSizes read_siglip_sizes(const TensorMap& tensors, std::int64_t heads);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_siglip(const SigLipSizes& sizes, const TensorMap& tensors);

}  // namespace quasar::encoder
