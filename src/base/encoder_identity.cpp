#include "base/encoder_identity.h"

namespace quasar::base {

std::string EncoderIdentity::describe() const {
  return architecture + ", weights " + weights_sha256.substr(0, 12) + ", " + preprocessing + ", " + dtype;
}

}  // namespace quasar::base
