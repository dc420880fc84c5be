#include "encoder/make_encoder.h"

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <utility>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/shipped_file.h"
#include "base/stop_signal.h"
#include "encoder/checkpoint.h"
#include "encoder/choose_device.h"
#include "encoder/mini.h"
#include "encoder/network_factory.h"
#include "encoder/torch_encoder.h"
#include "encoder/torchscript_network.h"

namespace quasar::encoder {
namespace {

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

}  // namespace

std::unique_ptr<Encoder> make_encoder(const EncoderConfig& config, int local_rank) {
  base::end_if_stopped();
  const base::InputSpec spec = effective_input(config);
  const torch::Device device = choose_device(config, local_rank);
  const torch::ScalarType type = scalar_type(config, device);
  base::EncoderIdentity identity;
  identity.architecture = describe_architecture(config);
  identity.preprocessing = base::describe(spec);
  identity.dtype = precision_name(config.precision);
  std::unique_ptr<Network> network;
  std::string note;
  std::filesystem::path weights = config.weights;
  if (weights.empty() && config.architecture == kMini) weights = base::find_shipped_file(kMiniWeights);
  if (config.architecture == kImported)
    base::fail(base::ExitCode::kInternal, "imported vectors are no encoder that can be made");
  if (weights.empty()) {
    base::fail(base::ExitCode::kConfig, "encoder.weights is missing: name the weights file of " +
                                            config.architecture +
                                            " (tools/fetch-weights says where to get it)");
  }
  if (config.architecture == kTorchScript) {
    identity.weights_sha256 = base::sha256_file(weights);
    base::end_if_stopped();
    network = load_torchscript(weights, {config.output_key, config.output_index}, spec.size,
                               config.optimize ? ScriptMode::kOptimized : ScriptMode::kAsSaved);
  } else {
    NamedCheckpoint checkpoint;
    if (config.architecture == kMini) {
      static_cast<Checkpoint&>(checkpoint) = read_checkpoint(weights);
    } else {
      checkpoint = read_checkpoint(weights, name_family(config.architecture));
    }
    identity.weights_sha256 = checkpoint.sha256;
    note = std::move(checkpoint.note);
    base::end_if_stopped();
    try {
      network = config.architecture == kMini
                    ? make_mini(std::move(checkpoint.tensors))
                    : make_network(config.architecture, std::move(checkpoint.tensors), config.heads);
    } catch (const base::Error& error) {
      base::fail(error.code(), weights.string() + ": " + error.what() + checkpoint.advice);
    }
  }
  base::end_if_stopped();
  return std::make_unique<TorchEncoder>(std::move(network), spec, std::move(identity), device, type,
                                        std::move(note));
}

std::string torch_version() {
  return TORCH_VERSION;
}

bool cuda_available() {
  return torch::cuda::is_available();
}

}  // namespace quasar::encoder
