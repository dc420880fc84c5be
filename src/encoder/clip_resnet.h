// Internal to the module: CLIP's ModifiedResNet (Radford et al., arXiv 2103.00020; openai/CLIP
// `ModifiedResNet`): a ResNet with a stem of three convolutions, average pooling instead of strides, and
// attention pooling, which takes pictures of any size and aspect.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "encoder/network.h"
#include "encoder/weights_loader.h"

namespace quasar::encoder {

struct ClipResNetSizes {
  std::array<int, 4> layers = {3, 4, 6, 3};
  std::int64_t width = 64;          ///< Channels after the stem; the last stage has 32 times as many.
  std::int64_t embedding = 1024;    ///< Length of the output.
  std::int64_t position_rows = 50;  ///< 1 + (training side / 32)^2.

  friend bool operator==(const ClipResNetSizes&, const ClipResNetSizes&) = default;
};

/// Whether the attention pool adds its positional rows, resampled to the picture's size, or none.
enum class PositionRows { kUsed, kLeftOut };

WeightShapes weight_shapes(const ClipResNetSizes& sizes);

/// The sizes that a checkpoint's shapes tell; 0 where they do not.
ClipResNetSizes read_clip_resnet_sizes(const TensorMap& tensors);

/// `tensors` must fit weight_shapes(sizes).
std::unique_ptr<Network> make_clip_resnet(const ClipResNetSizes& sizes, PositionRows position_rows,
                                          const TensorMap& tensors);

}  // namespace quasar::encoder
