// Owns reading of the section `encoder`. Apart from encoder_config.h, so that the module builds without a
// YAML library.
#pragma once

#include "base/config_node.h"
#include "encoder/encoder_config.h"

namespace quasar::encoder {

/// Keys: architecture, weights, device (auto, cpu, cuda, cuda:K), precision, batch_size, input {resize, size,
/// crop, min_side, statistics or mean and std}, output {key, index}; of imported vectors name, vectors, ids.
/// Throws Error(kConfig), and Error(kInput)
/// for a weights file or vocabulary that is missing, unless `files_needed` is false: a step that only works
/// on what is stored goes without them.
EncoderConfig encoder_config_from_yaml(const base::ConfigNode& node, bool files_needed = true);

}  // namespace quasar::encoder
