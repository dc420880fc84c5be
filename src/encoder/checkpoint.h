// Internal to the module: weights files as tensors of LibTorch.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "checkpoint/weight_names.h"

namespace quasar::encoder {

/// Tensors by name: on the CPU, contiguous, in their stored type. As read they share a read-only mapping of
/// the file: writing into one in place ends the program, so convert or clone before.
using TensorMap = std::map<std::string, torch::Tensor>;

struct Checkpoint {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  ///< `__metadata__` of a safetensors file; empty otherwise.
  std::string sha256;                           ///< As WeightsFile has it.
  std::string container;                        ///< "safetensors", "torch.save zip", "TorchScript".
};

/// Reads what checkpoint::read_weights_file reads, with its errors, names and values as they are.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// A checkpoint under the names that a family's networks read.
struct NamedCheckpoint : Checkpoint {
  std::string
      note;  ///< For the log: whose names they were, and what was left out. Empty for the networks' own.
  std::string advice;  ///< Lines to put behind an error about names: empty where the naming is known.
};

/// As above, and the errors of checkpoint::rename_weights, naming the file.
NamedCheckpoint read_checkpoint(const std::filesystem::path& path, checkpoint::NameFamily family);

/// Writes tensors and metadata as safetensors, atomically, in order of name.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace quasar::encoder
