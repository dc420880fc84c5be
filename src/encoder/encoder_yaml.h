// Owns reading of the section `encoder`. Apart from encoder_config.h, so that the module builds without a
// YAML library.
#pragma once

#include "base/config_node.h"
#include "encoder/encoder_config.h"

namespace quasar::encoder {

/// Keys: architecture, weights, device (auto, cpu, cuda, cuda:K), precision, batch_size, input {resize, size,
/// crop, min_side, statistics or mean and std}, output {key, index}. Throws Error(kConfig), and Error(kInput)
/// for a weights file that is missing.
EncoderConfig encoder_config_from_yaml(const base::ConfigNode& node);

}  // namespace quasar::encoder
