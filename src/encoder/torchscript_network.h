// Internal to the module: any TorchScript module from a file, as a network.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "encoder/network.h"

namespace quasar::encoder {

/// How to take an embedding from what a module returns.
struct ScriptOutput {
  std::string key;  ///< Of a returned dictionary; "" otherwise.
  int index = -1;   ///< In a returned tuple or list; -1 when a tensor is returned.
};

/// How a module is run.
enum class ScriptMode {
  kAsSaved,    ///< Operation by operation, as it was exported.
  kOptimized,  ///< Frozen, its normalisations folded into its convolutions, on the CPU in oneDNN's layouts.
};

/// Loads the module for the CPU and tries it once on a blank picture of `side` x `side` pixels, which tells
/// the dimension. A 4-d output [n, d, h, w] is averaged over space, a 3-d one [n, tokens, d] gives its first
/// token. The module's code is run: load only files you trust. With kOptimized, Network::to() prepares it,
/// once, and compares what it then gives for one picture with what it gave as saved; it is an Error(kInput)
/// where LibTorch cannot prepare it or where more than rounding differs. Throws Error(kInput) naming the file
/// for anything that is no TorchScript module or gives no usable output.
std::unique_ptr<Network> load_torchscript(const std::filesystem::path& path, const ScriptOutput& output,
                                          int side, ScriptMode mode);

}  // namespace quasar::encoder
