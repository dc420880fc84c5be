#include "image/byte_limit.h"

namespace quasar::image {

std::string too_many_bytes(std::size_t bytes, const DecodeConfig& config) {
  if (bytes <= static_cast<std::size_t>(config.max_file_bytes)) return {};
  return std::to_string(bytes) + " bytes, more than decode.max_file_bytes " +
         std::to_string(config.max_file_bytes);
}

}  // namespace quasar::image
