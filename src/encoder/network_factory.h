// Internal to the module: from the name of an architecture and a checkpoint's tensors to a network.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "checkpoint/weight_names.h"
#include "encoder/architectures.h"
#include "encoder/checkpoint.h"
#include "encoder/head_counts.h"
#include "encoder/network.h"
#include "encoder/weights_loader.h"

namespace quasar::encoder {

WeightShapes weight_shapes(const ClipResNetVariant& variant);
WeightShapes weight_shapes(const Sizes& sizes);

/// Whose names the weights of a preset have to come to. Throws Error(kConfig) for an unknown name.
checkpoint::NameFamily name_family(const std::string& name);

/// Number of weights of a preset's visual tower, by its shapes alone. Throws Error(kConfig) for an unknown
/// name.
std::int64_t preset_parameter_count(const std::string& name);

/// Builds the architecture from a checkpoint's tensors (the text tower's are ignored); sizes are read off the
/// shapes and checked against the preset. Throws Error(kInput) listing all missing, unexpected and mis-shaped
/// tensors in one message, with both shapes and the preset that would fit; Error(kConfig) for an unknown name
/// with the nearest.
std::unique_ptr<Network> make_network(const std::string& name, TensorMap tensors,
                                      const HeadCounts& heads = {});

}  // namespace quasar::encoder
