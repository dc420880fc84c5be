// Internal to the module: weights files, whatever their container, as named tensors. No code of a file is
// ever run.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace quasar::encoder {

/// Tensors by name: on the CPU, contiguous, in their stored type. As read they share a read-only mapping of
/// the file: writing into one in place ends the program, so convert or clone before.
using TensorMap = std::map<std::string, torch::Tensor>;

struct Checkpoint {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  ///< `__metadata__` of a safetensors file; empty otherwise.
  std::string sha256;                           ///< Of the file's bytes.
  std::string container;                        ///< "safetensors", "torch.save zip", "TorchScript".
};

/// Reads a safetensors file, a torch.save zip (plain or nested under "state_dict"/"model", "module." prefixes
/// removed) or the parameters and buffers of a TorchScript archive, told apart by content. Throws
/// Error(kInput), naming the file and what is wrong, for anything else; for the old non-zip torch.save format
/// it says how to convert.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Writes tensors and metadata as safetensors, atomically, in order of name.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace quasar::encoder
