// Owns the choice of an encoder: names, settings and what follows from them alone. Free of LibTorch: what
// loads it is make_encoder.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "encoder/head_counts.h"

namespace quasar::encoder {

enum class DeviceKind { kAuto, kCpu, kCuda };
enum class Precision { kFloat32, kBfloat16, kFloat16 };

/// Architectures that are no preset: the one shipped with Quasar, whatever a TorchScript file holds, and
/// none.
inline constexpr const char* kMini = "mini";
inline constexpr const char* kTorchScript = "torchscript";
/// Embeddings that others have made: there is nothing to compute.
inline constexpr const char* kImported = "imported";

struct EncoderConfig {
  std::string architecture = kMini;            ///< kMini, kTorchScript, or a preset (encoder_names()).
  std::string name;                            ///< kImported only: which encoder has made the vectors.
  std::vector<std::filesystem::path> vectors;  ///< kImported only: .npy or .h5 files (store/vector_file.h).
  std::vector<std::filesystem::path> ids;      ///< kImported only: a line for each row of the vectors.
  std::filesystem::path weights;     ///< Weights file; for mini, empty means the one shipped with Quasar.
  std::filesystem::path vocabulary;  ///< Of the tokenizer (CLIP's byte-pair merges); for text anchors only.
  HeadCounts heads;                  ///< For the "any" presets only.
  std::optional<base::InputSpec> input;  ///< Preprocessing; empty: the architecture's published one.
  std::string output_key;                ///< TorchScript only: key of a returned dictionary.
  int output_index = -1;                 ///< TorchScript only: place in a returned tuple or list.
  bool optimize = true;                  ///< TorchScript only: ScriptMode::kOptimized; in fingerprints.
  DeviceKind device = DeviceKind::kAuto;
  int device_index = -1;  ///< CUDA device; -1: the rank's own, local rank modulo devices.
  Precision precision = Precision::kFloat32;
  int batch_size = 32;  ///< Pictures per call; changes results in the last bits, so it is part of a run.
};

/// Every architecture that can be named.
std::vector<std::string> encoder_names();

/// The architecture as it stands in fingerprints: its name, the head counts of images where some are
/// given, and whether a TorchScript module is optimized.
std::string describe_architecture(const EncoderConfig& config);

/// "float32", as in fingerprints.
std::string precision_name(Precision precision);

/// Whether checkpoints of this architecture hold a text tower that is read here, beside the image tower.
/// Throws Error(kConfig) for an unknown name.
bool has_text_tower(const std::string& architecture);

/// The preprocessing that `make_encoder` will use. Throws Error(kConfig) for an unknown name.
base::InputSpec effective_input(const EncoderConfig& config);

}  // namespace quasar::encoder
