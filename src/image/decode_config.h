// Owns the limits and choices of decoding.
#pragma once

#include <cstdint>
#include <string>

#include "base/config_node.h"

namespace quasar::image {

/// Checked against the header before a pixel is decoded.
struct DecodeConfig {
  std::int64_t max_pixels = 178'956'970;                   ///< Width times height.
  int max_side = 65'500;                                   ///< Longer side, pixels.
  int min_side = 1;                                        ///< Shorter side, pixels.
  std::int64_t max_file_bytes = std::int64_t{256} << 20U;  ///< Encoded size.
  bool honour_orientation = false;  ///< Turn by EXIF orientation; the reference does not.
  double timeout_s = 30;            ///< Longest decode of one image, seconds.
};

/// Section `decode`. Throws Error(kConfig).
DecodeConfig decode_config_from_yaml(const base::ConfigNode& node);

/// One-line text of what changes pixels, for fingerprints.
std::string describe(const DecodeConfig& config);

}  // namespace quasar::image
