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

/// The whole picture squeezed into a square, as transformers' processors of DINOv3 and SigLIP 2 do it.
base::InputSpec square_input(int side) {
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kSquare;
  spec.filter = base::ResizeFilter::kBilinear;
  spec.size = side;
  spec.center_crop = false;
  spec.mean = {0.5, 0.5, 0.5};
  spec.std = {0.5, 0.5, 0.5};
  return spec;
}

base::InputSpec dinov3_input() {
  base::InputSpec spec = square_input(224);
  spec.mean = imagenet_input().mean;
  spec.std = imagenet_input().std;
  return spec;
}

/// SigLIP 2 with fixed resolution (Tschannen et al., arXiv 2502.14786; the sizes of the published files).
void add_siglip2(std::vector<Architecture>& table) {
  const auto add = [&](const std::string& name, SigLipSizes sizes, const std::vector<int>& sides) {
    for (const int side : sides) {
      const std::int64_t grid = side / sizes.patch;
      sizes.position_rows = grid * grid;
      table.push_back(
          {"siglip2-vit-" + name + "-" + std::to_string(side), square_input(side), sizes, SizeRule::kFixed});
    }
  };
  add("b-32", {768, 12, 12, 3072, 32}, {256});
  add("b-16", {768, 12, 12, 3072, 16}, {224, 256, 384, 512});
  add("l-16", {1024, 24, 16, 4096, 16}, {256, 384, 512});
  add("so400m-14", {1152, 27, 16, 4304, 14}, {224, 384});
  add("so400m-16", {1152, 27, 16, 4304, 16}, {256, 384, 512});
  add("g-16", {1536, 40, 16, 6144, 16}, {256, 384});
  table.push_back({"siglip2-any", square_input(224), SigLipSizes{}, SizeRule::kFromCheckpoint});
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

  const auto add_dinov3 = [&](const std::string& name, const DinoV3Sizes& sizes) {
    table.push_back({"dinov3-vit-" + name, dinov3_input(), sizes, SizeRule::kFixed});
  };
  constexpr auto kGated = Activation::kSwiGlu;
  add_dinov3("s-16", {384, 12, 6, 1536});
  add_dinov3("s-plus-16", {384, 12, 6, 1536, 16, 4, kGated});
  add_dinov3("b-16", {768, 12, 12, 3072});
  add_dinov3("l-16", {1024, 24, 16, 4096});
  add_dinov3("h-plus-16", {1280, 32, 20, 5120, 16, 4, kGated});
  add_dinov3("7b-16", {4096, 40, 32, 8192, 16, 4, kGated, false, true});
  table.push_back({"dinov3-any", dinov3_input(), DinoV3Sizes{}, SizeRule::kFromCheckpoint});
  add_siglip2(table);
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
  base::fail(base::ExitCode::kConfig,
             "there is no encoder \"" + name + "\"" + base::did_you_mean(name, names));
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

bool has_text_tower(const Sizes& sizes) {
  return !std::holds_alternative<DinoV2Sizes>(sizes) && !std::holds_alternative<DinoV3Sizes>(sizes) &&
         !std::holds_alternative<SigLipSizes>(sizes);
}

TextTowerOptions text_options(const std::string& preset) {
  const Sizes& sizes = find_architecture(preset).sizes;
  if (!has_text_tower(sizes))
    base::fail(base::ExitCode::kConfig,
               "the encoder '" + preset + "' has no text tower; text anchors need a CLIP or CoCa encoder");
  if (std::holds_alternative<ClipResNetVariant>(sizes)) return {Activation::kQuickGelu, 0};
  if (const auto* vit = std::get_if<VisionTransformerSizes>(&sizes)) return {vit->activation, 0};
  return {Activation::kGelu, 0};
}

}  // namespace quasar::encoder
