// Owns the identity of an encoder. The encoder module states it, files carry it, and whatever compares
// embeddings goes by it; none of them knows the others.
#pragma once

#include <string>

namespace quasar::base {

/// What makes embeddings comparable: equal identities come from the same function of the pixels.
struct EncoderIdentity {
  std::string architecture;    ///< "mini", "clip-rn50", "torchscript", ...; with the head counts where given.
  std::string weights_sha256;  ///< Of the weights file's bytes; 64 hexadecimal digits.
  std::string
      preprocessing;  ///< describe() of the input spec; where pictures are decoded, the decode mode too.
  std::string dtype;  ///< Arithmetic: "float32", "bfloat16", "float16".

  /// One line for people, with the digest cut to twelve digits.
  std::string describe() const;
  friend bool operator==(const EncoderIdentity&, const EncoderIdentity&) = default;
};

}  // namespace quasar::base
