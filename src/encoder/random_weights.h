// Internal to the module: made-up weights of the right shapes, for measuring full-size models without a
// download.
#pragma once

#include <cstdint>
#include <string>

#include "encoder/checkpoint.h"

namespace quasar::encoder {

/// Weights of a preset's visual tower, scaled so that activations neither vanish nor explode; the same seed
/// gives the same values. Throws Error(kConfig) for an unknown name.
TensorMap random_weights(const std::string& preset, std::uint64_t seed);

}  // namespace quasar::encoder
