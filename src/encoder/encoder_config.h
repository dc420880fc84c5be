// Owns the choice of an encoder, and the one place where a name becomes an encoder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "encoder/encoder.h"
#include "encoder/head_counts.h"

namespace quasar::encoder {

enum class DeviceKind { kAuto, kCpu, kCuda };
enum class Precision { kFloat32, kBfloat16, kFloat16 };

struct EncoderConfig {
  std::string architecture = "mini";  ///< "mini", "torchscript", or a preset (encoder_names()).
  std::filesystem::path weights;      ///< Weights file; for mini, empty means the one shipped with Quasar.
  std::filesystem::path vocabulary;   ///< Of the tokenizer (CLIP's byte-pair merges); for text anchors only.
  HeadCounts heads;                   ///< For the "any" presets only.
  std::optional<base::InputSpec> input;  ///< Preprocessing; empty: the architecture's published one.
  std::string output_key;                ///< TorchScript only: key of a returned dictionary.
  int output_index = -1;                 ///< TorchScript only: place in a returned tuple or list.
  DeviceKind device = DeviceKind::kAuto;
  int device_index = -1;  ///< CUDA device; -1: the rank's own, local rank modulo devices.
  Precision precision = Precision::kFloat32;
  int batch_size = 32;  ///< Pictures per call; changes results in the last bits, so it is part of a run.
};

/// Every architecture that can be named.
std::vector<std::string> encoder_names();

/// The architecture as it stands in fingerprints: its name, and the head counts of images where some are
/// given.
std::string describe_architecture(const EncoderConfig& config);

/// The preprocessing that `make_encoder` will use. Throws Error(kConfig) for an unknown name.
base::InputSpec effective_input(const EncoderConfig& config);

/// Loads the weights and places them on the device. `local_rank` chooses among several GPUs. Throws
/// Error(kInput) for weights that are not, Error(kDevice) when the requested device is not there,
/// Error(kConfig) for an unknown name or a precision that the device does not have.
std::unique_ptr<Encoder> make_encoder(const EncoderConfig& config, int local_rank);

/// "1.13.1".
std::string torch_version();
bool cuda_available();

}  // namespace quasar::encoder
