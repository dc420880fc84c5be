#include "encoder/architectures.h"

#include <algorithm>

#include "base/errors.h"
#include "base/nearest_word.h"

namespace quasar::encoder {
namespace {

base::InputSpec clip_input(int size) {
  base::InputSpec spec;
  spec.size = size;
  return spec;
}

/// Without positional rows the ResNet sees the whole picture: 512 px at the shorter side, nothing cut.
base::InputSpec whole_picture_input() {
  base::InputSpec spec;
  spec.size = 512;
  spec.center_crop = false;
  spec.min_side = 32;
  return spec;
}

base::InputSpec imagenet_input() {
  base::InputSpec spec;
  spec.mean = {0.485, 0.456, 0.406};
  spec.std = {0.229, 0.224, 0.225};
  return spec;
}

std::vector<Architecture> make_table() {
  std::vector<Architecture> table;
  const auto add_resnet = [&](const std::string& name, const ClipResNetSizes& sizes, int side,
                              SizeRule rule) {
    table.push_back({name, clip_input(side), ClipResNetVariant{sizes, PositionRows::kUsed}, rule});
    table.push_back(
        {name + "-nopos", whole_picture_input(), ClipResNetVariant{sizes, PositionRows::kLeftOut}, rule});
  };
  add_resnet("clip-rn50", {{3, 4, 6, 3}, 64, 1024, 50}, 224, SizeRule::kFixed);
  add_resnet("clip-rn101", {{3, 4, 23, 3}, 64, 512, 50}, 224, SizeRule::kFixed);
  add_resnet("clip-rn50x4", {{4, 6, 10, 6}, 80, 640, 82}, 288, SizeRule::kFixed);
  add_resnet("clip-rn50x16", {{6, 8, 18, 8}, 96, 768, 145}, 384, SizeRule::kFixed);
  add_resnet("clip-rn50x64", {{3, 15, 36, 10}, 128, 1024, 197}, 448, SizeRule::kFixed);
  add_resnet("clip-rn-any", {}, 224, SizeRule::kFromCheckpoint);

  const auto add_vit = [&](const std::string& name, VisionTransformerSizes sizes, SizeRule rule) {
    const int side = static_cast<int>(sizes.side());
    sizes.activation = Activation::kGelu;
    table.push_back({name, clip_input(side), sizes, rule});
    sizes.activation = Activation::kQuickGelu;
    table.push_back({name + "-quickgelu", clip_input(side), sizes, rule});
  };
  add_vit("vit-b-32", {768, 12, 12, 3072, 32, 50, 512}, SizeRule::kFixed);
  add_vit("vit-b-16", {768, 12, 12, 3072, 16, 197, 512}, SizeRule::kFixed);
  add_vit("vit-l-14", {1024, 24, 16, 4096, 14, 257, 768}, SizeRule::kFixed);
  add_vit("vit-l-14-336", {1024, 24, 16, 4096, 14, 577, 768}, SizeRule::kFixed);
  add_vit("vit-h-14", {1280, 32, 16, 5120, 14, 257, 1024}, SizeRule::kFixed);
  add_vit("vit-bigg-14", {1664, 48, 16, 8192, 14, 257, 1280}, SizeRule::kFixed);
  add_vit("vit-any", {}, SizeRule::kFromCheckpoint);

  table.push_back({"coca-vit-l-14", clip_input(224), CocaSizes{}, SizeRule::kFixed});
  table.push_back({"coca-any", clip_input(224), CocaSizes{}, SizeRule::kFromCheckpoint});

  const auto add_dino = [&](const std::string& name, DinoV2Sizes sizes) {
    table.push_back({name, imagenet_input(), sizes, SizeRule::kFixed});
    sizes.registers = 4;
    table.push_back({name + "-reg", imagenet_input(), sizes, SizeRule::kFixed});
  };
  add_dino("dinov2-vit-s-14", {384, 12, 6, 1536});
  add_dino("dinov2-vit-b-14", {768, 12, 12, 3072});
  add_dino("dinov2-vit-l-14", {1024, 24, 16, 4096});
  add_dino("dinov2-vit-g-14", {1536, 40, 24, 4096, 14, 1370, 0, Activation::kSwiGlu});
  table.push_back({"dinov2-any", imagenet_input(), DinoV2Sizes{}, SizeRule::kFromCheckpoint});
  return table;
}

}  // namespace

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> table = make_table();
  return table;
}

const Architecture& find_architecture(const std::string& name) {
  const std::vector<Architecture>& table = architectures();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Architecture& a) { return a.name == name; });
  if (found != table.end()) return *found;
  std::vector<std::string> names;
  for (const Architecture& architecture : table) names.push_back(architecture.name);
  const auto nearest = base::nearest_word(name, names);
  base::fail(base::ExitCode::kConfig, "there is no encoder '" + name + "'" +
                                          (nearest ? "; the nearest name is '" + *nearest + "'" : ""));
}

base::InputSpec mini_input_spec() {
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kShorterSideAtMost;
  spec.size = 512;
  spec.center_crop = false;
  spec.min_side = 64;
  spec.mean = {0.5, 0.5, 0.5};
  spec.std = {0.25, 0.25, 0.25};
  return spec;
}

TextTowerOptions text_options(const std::string& preset) {
  const Sizes& sizes = find_architecture(preset).sizes;
  if (std::holds_alternative<DinoV2Sizes>(sizes))
    base::fail(base::ExitCode::kConfig,
               "the encoder '" + preset + "' has no text tower; text anchors need a CLIP or CoCa encoder");
  if (std::holds_alternative<ClipResNetVariant>(sizes)) return {Activation::kQuickGelu, 0};
  if (const auto* vit = std::get_if<VisionTransformerSizes>(&sizes)) return {vit->activation, 0};
  return {Activation::kGelu, 0};
}

}  // namespace quasar::encoder
