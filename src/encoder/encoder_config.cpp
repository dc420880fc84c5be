#include "encoder/encoder_config.h"

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/shipped_file.h"
#include "encoder/checkpoint.h"
#include "encoder/choose_device.h"
#include "encoder/mini.h"
#include "encoder/network.h"
#include "encoder/torch_encoder.h"
#include "encoder/torchscript_network.h"

namespace quasar::encoder {
namespace {

constexpr const char* kMini = "mini";
constexpr const char* kTorchScript = "torchscript";
constexpr const char* kMiniWeights = "anchors/mini.safetensors";

torch::ScalarType scalar_type(const EncoderConfig& config, const torch::Device& device) {
  switch (config.precision) {
    case Precision::kFloat32:
      return torch::kFloat32;
    case Precision::kBfloat16:
      return torch::kBFloat16;
    case Precision::kFloat16:
      if (device.is_cpu()) {
        base::fail(base::ExitCode::kConfig,
                   "encoder.precision: float16 needs a GPU; on the CPU use float32 or bfloat16");
      }
      return torch::kFloat16;
  }
  base::fail(base::ExitCode::kInternal, "unknown precision");
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

}  // namespace

torch::Device choose_device(const EncoderConfig& config, int local_rank) {
  const int devices = cuda_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (config.device == DeviceKind::kCpu || (config.device == DeviceKind::kAuto && devices == 0))
    return torch::kCPU;
  if (devices == 0) {
    base::fail(
        base::ExitCode::kDevice,
        "a CUDA device is asked for, but LibTorch sees none on this machine; use a node with a GPU and a "
        "LibTorch built with CUDA, or the device cpu (key encoder.device)");
  }
  if (config.device_index >= devices) {
    base::fail(base::ExitCode::kDevice,
               "encoder.device asks for cuda:" + std::to_string(config.device_index) +
                   ", but there are only " + std::to_string(devices) + " CUDA devices here");
  }
  const int index = config.device_index >= 0 ? config.device_index : local_rank % devices;
  return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
}

std::vector<std::string> encoder_names() {
  std::vector<std::string> names = {kMini, kTorchScript};
  for (const auto& preset : presets()) names.push_back(preset.name);
  return names;
}

std::string describe_architecture(const EncoderConfig& config) {
  std::string text = config.architecture;
  if (config.heads.trunk > 0) text += ", heads " + std::to_string(config.heads.trunk);
  if (config.heads.pooler > 0) text += ", pooler heads " + std::to_string(config.heads.pooler);
  return text;
}

base::InputSpec effective_input(const EncoderConfig& config) {
  if (config.input) return *config.input;
  if (config.architecture == kMini) return mini_input_spec();
  if (config.architecture == kTorchScript) return {};
  for (const auto& preset : presets()) {
    if (preset.name == config.architecture) return preset.input;
  }
  base::fail(base::ExitCode::kConfig, "there is no encoder \"" + config.architecture + "\"");
}

std::unique_ptr<Encoder> make_encoder(const EncoderConfig& config, int local_rank) {
  const base::InputSpec spec = effective_input(config);
  const torch::Device device = choose_device(config, local_rank);
  const torch::ScalarType type = scalar_type(config, device);
  Fingerprint fingerprint;
  fingerprint.architecture = describe_architecture(config);
  fingerprint.preprocessing = base::describe(spec);
  fingerprint.dtype = precision_name(config.precision);
  std::unique_ptr<Network> network;
  std::filesystem::path weights = config.weights;
  if (weights.empty() && config.architecture == kMini) weights = base::find_shipped_file(kMiniWeights);
  if (weights.empty()) {
    base::fail(base::ExitCode::kConfig, "encoder.weights is missing: name the weights file of " +
                                            config.architecture +
                                            " (tools/fetch-weights says where to get it)");
  }
  if (config.architecture == kTorchScript) {
    fingerprint.weights_sha256 = base::sha256_file(weights);
    network = load_torchscript(weights, {config.output_key, config.output_index}, spec.size);
  } else {
    Checkpoint checkpoint = read_checkpoint(weights);
    fingerprint.weights_sha256 = checkpoint.sha256;
    try {
      network = config.architecture == kMini
                    ? make_mini(std::move(checkpoint.tensors))
                    : make_network(config.architecture, std::move(checkpoint.tensors), config.heads);
    } catch (const base::Error& error) {
      base::fail(error.code(), weights.string() + ": " + error.what());
    }
  }
  return std::make_unique<TorchEncoder>(std::move(network), spec, std::move(fingerprint), device, type);
}

std::string torch_version() {
  return TORCH_VERSION;
}

bool cuda_available() {
  return torch::cuda::is_available();
}

}  // namespace quasar::encoder
