// Owns the limits and choices of decoding.
#pragma once

#include <cstdint>
#include <string>

#include "base/config_node.h"

namespace quasar::image {

/// How pixels come out of a compressed file when the encoder wants fewer of them.
enum class DecodeMode {
  kExact,  ///< Full size, then Pillow's resampling: the reference's pixels, bit for bit.
  kFast,  ///< JPEG and WebP at 1/2, 1/4 or 1/8 where twice the wanted side remains, then the same resampling.
};

/// What becomes of a picture whose data end early, or are corrupt from some row on.
enum class TruncatedPictures {
  kFail,  ///< decode_failed.
  kKeep,  ///< ok, with what was there; its error says how much that is.
};

/// Checked against the header before a pixel is decoded.
struct DecodeConfig {
  std::int64_t max_pixels = 178'956'970;                   ///< Width times height.
  int max_side = 65'500;                                   ///< Longer side, pixels.
  int min_side = 1;                                        ///< Shorter side, pixels.
  std::int64_t max_file_bytes = std::int64_t{256} << 20U;  ///< Encoded size.
  DecodeMode mode = DecodeMode::kExact;
  TruncatedPictures truncated = TruncatedPictures::kFail;
  bool honour_orientation = false;  ///< Turn by EXIF orientation; the reference does not.
  /// Perceptual hashes (pdq.h) to make of each picture while it is decoded: 0, 1, or 8 for all poses. Not
  /// read from the section.
  int perceptual_hashes = 0;
  double timeout_s =
      30;  ///< Longest decode of one image in a worker (decode/worker_pool.h), processor seconds.
};

/// Section `decode`. Throws Error(kConfig).
DecodeConfig decode_config_from_yaml(const base::ConfigNode& node);

/// One-line text of what changes the pixels of whole pictures, for fingerprints.
std::string describe_pixels(const DecodeConfig& config);
/// The same, and whether those of which a part is missing have any.
std::string describe(const DecodeConfig& config);

}  // namespace quasar::image
