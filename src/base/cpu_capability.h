// Owns what a program's libraries may use of the processor. LibTorch, oneDNN and BLAS choose their kernels by
// the processor that they find; held to what all processors of a cluster have, they compute the same bits on
// each of its kinds.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quasar::base {

enum class CpuCapability {
  kNative,  ///< All that the processor has, or what the environment says.
  kAvx2,
  kAvx512,
};

/// As configurations name them.
const std::vector<std::pair<std::string_view, CpuCapability>>& cpu_capabilities();

/// The environment variables, with their values, that hold the libraries to it: none for kNative.
std::vector<std::pair<std::string, std::string>> environment_of(CpuCapability capability);

/// Holds this program to the capability: unless the variables are set already, sets them and starts the
/// program again in the same process, because libraries look at them when they are loaded. To be called
/// before anything is begun. `arguments`: argv, ended by null. Throws Error(kConfig) when this processor
/// lacks the capability.
void hold_to(CpuCapability capability, char* const* arguments);

}  // namespace quasar::base
