// Owns the limit of a file's bytes. Apart from decoding, so that who asks for pictures of others needs no
// decoder.
#pragma once

#include <cstddef>
#include <string>

#include "image/decode_config.h"

namespace quasar::image {

/// Why a file of this size is not decoded (RowStatus::kTooManyBytes); empty when it is.
std::string too_many_bytes(std::size_t bytes, const DecodeConfig& config);

}  // namespace quasar::image
