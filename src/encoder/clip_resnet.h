// Internal to the module: CLIP's ModifiedResNet (Radford et al., arXiv 2103.00020; openai/CLIP
// `ModifiedResNet`): a ResNet with a stem of three convolutions, average pooling instead of strides, and
// attention pooling, which takes pictures of any size and aspect.
#pragma once

#include <cstdint>
#include <memory>

#include "encoder/model_sizes.h"
#include "encoder/network.h"
#include "encoder/weights_loader.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const ClipResNetSizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not.
ClipResNetSizes read_clip_resnet_sizes(const TensorMap& tensors);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_clip_resnet(const ClipResNetSizes& sizes, PositionRows position_rows,
                                          const TensorMap& tensors);

}  // namespace quasar::encoder
