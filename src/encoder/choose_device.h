// Internal to the module: which device an encoder computes on.
#pragma once

#include <torch/types.h>

#include "encoder/encoder_config.h"

namespace quasar::encoder {

/// The device that the configuration asks for; with `auto` a GPU per local rank where there are GPUs. Throws
/// Error(kDevice) when it is not there.
torch::Device choose_device(const EncoderConfig& config, int local_rank);

}  // namespace quasar::encoder
