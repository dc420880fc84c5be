#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <variant>

#include "base/errors.h"
#include "encoder/architectures.h"
#include "encoder/text_tower.h"

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

/// Number of single-character changes between two names.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

bool belongs_elsewhere(const Sizes& sizes, const std::string& name) {
  constexpr std::string_view kCounter = ".num_batches_tracked";
  if (std::holds_alternative<DinoV2Sizes>(sizes)) return false;
  if (name.rfind("visual.", 0) != 0) return true;  // The text tower's.
  return std::holds_alternative<ClipResNetVariant>(sizes) && name.size() > kCounter.size() &&
         name.compare(name.size() - kCounter.size(), kCounter.size(), kCounter) == 0;
}

Misfit misfit(const TensorMap& tensors, const Sizes& sizes) {
  return compare(tensors, weight_shapes(sizes),
                 [&](const std::string& name) { return belongs_elsewhere(sizes, name); });
}

Sizes read_sizes(const TensorMap& tensors, const Sizes& family, const HeadCounts& heads) {
  struct Reader {
    const TensorMap& tensors;
    const HeadCounts& heads;
    Sizes operator()(const ClipResNetVariant& v) const {
      return ClipResNetVariant{read_clip_resnet_sizes(tensors), v.position_rows};
    }
    Sizes operator()(const VisionTransformerSizes& v) const {
      return read_vision_transformer_sizes(tensors, heads.trunk, v.activation);
    }
    Sizes operator()(const CocaSizes&) const { return read_coca_sizes(tensors, heads.trunk, heads.pooler); }
    Sizes operator()(const DinoV2Sizes&) const { return read_dinov2_sizes(tensors, heads.trunk); }
  };
  return std::visit(Reader{tensors, heads}, family);
}

/// Presets that the tensors fit as well as any, and how many tensors of each do not fit.
struct Nearest {
  std::vector<std::string> names;
  std::size_t problems = 0;

  /// "'a' or 'b'".
  std::string describe() const {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "'" : " or '") + name + "'";
    return text;
  }
};

Nearest nearest_presets(const TensorMap& tensors) {
  Nearest nearest;
  for (const Architecture& architecture : architectures()) {
    if (architecture.rule != SizeRule::kFixed) continue;
    const std::size_t problems = misfit(tensors, architecture.sizes).count();
    if (nearest.names.empty() || problems < nearest.problems) nearest = {{}, problems};
    if (problems == nearest.problems) nearest.names.push_back(architecture.name);
  }
  return nearest;
}

[[noreturn]] void refuse(const std::string& name, const TensorMap& tensors, const Misfit& problems) {
  const Nearest nearest = nearest_presets(tensors);
  std::string advice = "no preset fits these weights exactly";
  if (nearest.problems == 0) {
    advice = "they fit the preset " + nearest.describe();
  } else if (nearest.problems < problems.count() && nearest.problems < tensors.size() / 2) {
    advice += "; the nearest is " + nearest.describe() + ", which " + std::to_string(nearest.problems) +
              (nearest.problems == 1 ? " tensor does" : " tensors do") + " not fit";
  }
  base::fail(base::ExitCode::kInput,
             "the weights do not fit the encoder '" + name + "':" + problems.describe() + "\n  " + advice);
}

/// Checks what shapes cannot: that heads divide widths. Returns what is wrong, or nothing.
std::string check_heads(const Sizes& sizes) {
  const auto check = [](std::int64_t width, std::int64_t heads) {
    if (heads > 0 && width % heads == 0) return std::string();
    return "a width of " + std::to_string(width) + " cannot be divided into " + std::to_string(heads) +
           " heads";
  };
  if (const auto* vit = std::get_if<VisionTransformerSizes>(&sizes)) return check(vit->width, vit->heads);
  if (const auto* dino = std::get_if<DinoV2Sizes>(&sizes)) return check(dino->width, dino->heads);
  if (const auto* coca = std::get_if<CocaSizes>(&sizes)) {
    const std::string trunk = check(coca->trunk.width, coca->trunk.heads);
    return trunk.empty() ? check(coca->trunk.embedding, coca->pooler_heads) : trunk;
  }
  const auto& resnet = std::get<ClipResNetVariant>(sizes).sizes;
  return resnet.width >= 2 && resnet.width % 2 == 0 ? "" : "a ResNet's width must be even and positive";
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
  const auto nearest =
      std::min_element(table.begin(), table.end(), [&](const Architecture& a, const Architecture& b) {
        return edit_distance(a.name, name) < edit_distance(b.name, name);
      });
  base::fail(base::ExitCode::kConfig,
             "there is no encoder '" + name + "'; the nearest name is '" + nearest->name + "'");
}

WeightShapes weight_shapes(const Sizes& sizes) {
  return std::visit([](const auto& own) { return weight_shapes(own); }, sizes);
}

WeightShapes weight_shapes(const ClipResNetVariant& variant) {
  return weight_shapes(variant.sizes);
}

std::vector<Preset> presets() {
  std::vector<Preset> result;
  for (const Architecture& architecture : architectures())
    result.push_back({architecture.name, architecture.input});
  return result;
}

std::int64_t preset_parameter_count(const std::string& name) {
  return parameter_count(weight_shapes(find_architecture(name).sizes));
}

double Network::flops_per_image(int /*height*/, int /*width*/) const {
  return 0.0;
}

// Takes the tensors over, so that nobody holds them any more when the network converts its own.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
std::unique_ptr<Network> make_network(const std::string& name, TensorMap tensors, const HeadCounts& heads) {
  const Architecture& architecture = find_architecture(name);
  const Sizes sizes = architecture.rule == SizeRule::kFixed ? architecture.sizes
                                                            : read_sizes(tensors, architecture.sizes, heads);
  const Misfit problems = misfit(tensors, sizes);
  if (problems.count() > 0) refuse(name, tensors, problems);
  const std::string bad_heads = check_heads(sizes);
  if (!bad_heads.empty())
    base::fail(base::ExitCode::kInput, "the weights do not fit the encoder '" + name + "': " + bad_heads);
  struct Maker {
    const TensorMap& tensors;
    std::unique_ptr<Network> operator()(const ClipResNetVariant& v) const {
      return make_clip_resnet(v.sizes, v.position_rows, tensors);
    }
    std::unique_ptr<Network> operator()(const VisionTransformerSizes& v) const {
      return make_vision_transformer(v, tensors);
    }
    std::unique_ptr<Network> operator()(const CocaSizes& v) const { return make_coca(v, tensors); }
    std::unique_ptr<Network> operator()(const DinoV2Sizes& v) const { return make_dinov2(v, tensors); }
  };
  return std::visit(Maker{tensors}, sizes);
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

SpecialTokens special_tokens(const std::string& preset) {
  return text_options(preset).activation == Activation::kQuickGelu ? SpecialTokens::kOpenAi
                                                                   : SpecialTokens::kOpenClip;
}

}  // namespace quasar::encoder
