// Owns the one place where a configuration becomes an encoder.
#pragma once

#include <memory>
#include <string>

#include "encoder/encoder.h"
#include "encoder/encoder_config.h"

namespace quasar::encoder {

/// Loads the weights and places them on the device. `local_rank` chooses among several GPUs. Throws
/// Error(kInput) for weights that are not, Error(kDevice) when the requested device is not there,
/// Error(kConfig) for an unknown name or a precision that the device does not have.
std::unique_ptr<Encoder> make_encoder(const EncoderConfig& config, int local_rank);

/// "1.13.1".
std::string torch_version();
bool cuda_available();

}  // namespace quasar::encoder
