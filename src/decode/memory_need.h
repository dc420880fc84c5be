// Owns the estimate of what decoding a picture takes, from its header alone.
#pragma once

#include <cstdint>

#include "base/input_spec.h"
#include "image/decode.h"

namespace quasar::decode {

/// Bytes, from above.
struct MemoryNeed {
  std::uint64_t own = 0;     ///< In the worker's own memory: the decoder's, the picture, its resampling.
  std::uint64_t output = 0;  ///< Of the prepared pixels, in shared memory.
};

/// What it takes to decode a picture and to bring it to the encoder's input; with `distorted`, to degrade it
/// at full size between the two.
MemoryNeed memory_need(const image::Header& header, const base::InputSpec& spec, bool distorted);

}  // namespace quasar::decode
