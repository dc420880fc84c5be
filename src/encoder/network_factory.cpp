#include "encoder/network_factory.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <variant>

#include "base/errors.h"
#include "encoder/clip_resnet.h"
#include "encoder/coca.h"
#include "encoder/dinov2.h"
#include "encoder/dinov3.h"
#include "encoder/siglip.h"
#include "encoder/vision_transformer.h"

namespace quasar::encoder {
namespace {

/// Names, or their beginnings, of the text towers of CLIP and CoCa, and of what OpenAI's archives hold beside
/// weights.
constexpr std::array<std::string_view, 12> kTextNames = {
    "token_embedding.", "positional_embedding", "transformer.",
    "ln_final.",        "text_projection",      "text.",
    "text_decoder.",    "logit_scale",          "logit_bias",
    "input_resolution", "context_length",       "vocab_size"};

bool belongs_elsewhere(const Sizes& sizes, const std::string& name) {
  constexpr std::string_view kCounter = ".num_batches_tracked";
  if (!has_text_tower(sizes)) return false;
  if (std::any_of(kTextNames.begin(), kTextNames.end(),
                  [&](std::string_view start) { return name.starts_with(start); }))
    return true;
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
    Sizes operator()(const DinoV3Sizes&) const { return read_dinov3_sizes(tensors, heads.trunk); }
    Sizes operator()(const SigLipSizes&) const { return read_siglip_sizes(tensors, heads.trunk); }
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
  if (const auto* dino = std::get_if<DinoV3Sizes>(&sizes)) {
    const std::string heads = check(dino->width, dino->heads);
    if (!heads.empty() || dino->head_width() % 4 == 0) return heads;
    return "heads of a width of " + std::to_string(dino->head_width()) + ", which is no multiple of 4";
  }
  if (const auto* siglip = std::get_if<SigLipSizes>(&sizes)) {
    if (siglip->grid() > 0) return check(siglip->width, siglip->heads);
    return std::to_string(siglip->position_rows) + " rows of positions, which make no square";
  }
  if (const auto* coca = std::get_if<CocaSizes>(&sizes)) {
    const std::string trunk = check(coca->trunk.width, coca->trunk.heads);
    return trunk.empty() ? check(coca->trunk.embedding, coca->pooler_heads) : trunk;
  }
  const auto& resnet = std::get<ClipResNetVariant>(sizes).sizes;
  return resnet.width >= 2 && resnet.width % 2 == 0 ? "" : "a ResNet's width must be even and positive";
}

}  // namespace

WeightShapes weight_shapes(const Sizes& sizes) {
  return std::visit([](const auto& own) { return weight_shapes(own); }, sizes);
}

WeightShapes weight_shapes(const ClipResNetVariant& variant) {
  return weight_shapes(variant.sizes);
}

checkpoint::NameFamily name_family(const std::string& name) {
  const Sizes& sizes = find_architecture(name).sizes;
  if (std::holds_alternative<DinoV2Sizes>(sizes)) return checkpoint::NameFamily::kDinoV2;
  if (std::holds_alternative<DinoV3Sizes>(sizes)) return checkpoint::NameFamily::kDinoV3;
  if (std::holds_alternative<SigLipSizes>(sizes)) return checkpoint::NameFamily::kSigLip;
  return checkpoint::NameFamily::kClip;
}

std::int64_t preset_parameter_count(const std::string& name) {
  return parameter_count(weight_shapes(find_architecture(name).sizes));
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
    std::unique_ptr<Network> operator()(const DinoV3Sizes& v) const { return make_dinov3(v, tensors); }
    std::unique_ptr<Network> operator()(const SigLipSizes& v) const { return make_siglip(v, tensors); }
  };
  return std::visit(Maker{tensors}, sizes);
}

}  // namespace quasar::encoder
