// Owns weights files, whatever their container, as named tensors. No code of a file is ever run.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "checkpoint/stored_tensor.h"

namespace quasar::checkpoint {

struct WeightsFile {
  StoredTensors tensors;                        ///< They share a read-only mapping of the file.
  std::map<std::string, std::string> metadata;  ///< `__metadata__` of a safetensors file; empty otherwise.
  std::string
      sha256;  ///< Of the file's bytes; of shards, of what sha256sum prints for them, in order of name.
  std::string container;  ///< "safetensors", "torch.save zip", "TorchScript".
};

/// Reads a safetensors file, a torch.save zip (plain or nested: torch_zip.h), the parameters and buffers of a
/// TorchScript archive, or the shards that an index (model.safetensors.index.json) names beside itself, told
/// apart by content; what wrappers of modules add to names is removed (unwrap_names). Throws Error(kInput),
/// naming the file and what is wrong, for anything else; for the old non-zip torch.save format it says how to
/// convert.
WeightsFile read_weights_file(const std::filesystem::path& path);

/// Writes tensors and metadata as safetensors, atomically. Throws Error(kOutput).
void write_safetensors(const std::filesystem::path& path, const StoredTensors& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace quasar::checkpoint
