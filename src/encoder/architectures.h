// Internal to the module: the table of named architectures.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/input_spec.h"
#include "encoder/clip_resnet.h"
#include "encoder/coca.h"
#include "encoder/dinov2.h"
#include "encoder/vision_transformer.h"

namespace quasar::encoder {

struct ClipResNetVariant {
  ClipResNetSizes sizes;
  PositionRows position_rows = PositionRows::kUsed;
};

/// The sizes of one architecture; its type is the family.
using Sizes = std::variant<ClipResNetVariant, VisionTransformerSizes, CocaSizes, DinoV2Sizes>;

enum class SizeRule {
  kFixed,           ///< The checkpoint must have the preset's sizes.
  kFromCheckpoint,  ///< The checkpoint's own shapes set the sizes.
};

struct Architecture {
  std::string name;
  base::InputSpec input;
  Sizes sizes;
  SizeRule rule = SizeRule::kFixed;
};

const std::vector<Architecture>& architectures();

/// Throws Error(kConfig), with the nearest name, when there is none of that name.
const Architecture& find_architecture(const std::string& name);

WeightShapes weight_shapes(const ClipResNetVariant& variant);
WeightShapes weight_shapes(const Sizes& sizes);

}  // namespace quasar::encoder
