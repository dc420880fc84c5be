#include "encoder/encoder_config.h"

#include "encoder/architectures.h"

namespace quasar::encoder {

std::vector<std::string> encoder_names() {
  std::vector<std::string> names = {kMini, kTorchScript, kImported};
  for (const auto& preset : architectures()) names.push_back(preset.name);
  return names;
}

std::string describe_architecture(const EncoderConfig& config) {
  std::string text = config.architecture;
  if (config.heads.trunk > 0) text += ", heads " + std::to_string(config.heads.trunk);
  if (config.heads.pooler > 0) text += ", pooler heads " + std::to_string(config.heads.pooler);
  if (config.architecture == kTorchScript && config.optimize) text += ", optimized";
  return text;
}

base::InputSpec effective_input(const EncoderConfig& config) {
  if (config.input) return *config.input;
  if (config.architecture == kMini) return mini_input_spec();
  if (config.architecture == kTorchScript || config.architecture == kImported) return {};
  return find_architecture(config.architecture).input;
}

std::string precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kBfloat16:
      return "bfloat16";
    case Precision::kFloat16:
      return "float16";
  }
  return "";
}

bool has_text_tower(const std::string& architecture) {
  if (architecture == kMini || architecture == kTorchScript || architecture == kImported) return false;
  return has_text_tower(find_architecture(architecture).sizes);
}

}  // namespace quasar::encoder
