// Internal to the module: the table of named architectures, as plain values: what each expects and how large
// it is. Free of LibTorch.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/input_spec.h"
#include "encoder/model_sizes.h"

namespace quasar::encoder {

struct ClipResNetVariant {
  ClipResNetSizes sizes;
  PositionRows position_rows = PositionRows::kUsed;
};

/// The sizes of one architecture; its type is the family.
using Sizes =
    std::variant<ClipResNetVariant, VisionTransformerSizes, CocaSizes, DinoV2Sizes, DinoV3Sizes, SigLipSizes>;

enum class SizeRule {
  kFixed,           ///< The checkpoint must have the preset's sizes.
  kFromCheckpoint,  ///< The checkpoint's own shapes set the sizes.
};

/// A named architecture of the paper and what it expects.
struct Architecture {
  std::string name;       ///< "clip-rn50", "vit-l-14", "coca-vit-l-14", "dinov2-vit-l-14", ...
  base::InputSpec input;  ///< The published preprocessing.
  Sizes sizes;
  SizeRule rule = SizeRule::kFixed;
};

/// Every preset. Names with "any" ("clip-rn-any", "vit-any", "vit-any-quickgelu", "coca-any", "dinov2-any",
/// "dinov3-any", "siglip2-any") take checkpoints of every size of their family.
const std::vector<Architecture>& architectures();

/// Throws Error(kConfig), with the nearest name, when there is none of that name.
const Architecture& find_architecture(const std::string& name);

/// What `mini` expects: native resolution, the shorter side reduced to 512 px where it is longer.
base::InputSpec mini_input_spec();

/// What a checkpoint's shapes do not tell about its text tower.
struct TextTowerOptions {
  Activation activation = Activation::kGelu;  ///< QuickGELU for OpenAI's weights.
  int heads = 0;                              ///< 0: heads of width 64, as in all published models.

  friend bool operator==(const TextTowerOptions&, const TextTowerOptions&) = default;
};

/// Whether checkpoints of these sizes hold a text tower that is read here.
bool has_text_tower(const Sizes& sizes);

/// The options of the text tower that belongs to a preset of make_network. Throws Error(kConfig) for a preset
/// without a text tower and for an unknown name.
TextTowerOptions text_options(const std::string& preset);

}  // namespace quasar::encoder
