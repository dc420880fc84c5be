// Owns decoding of foreign image bytes: by content, never by name; limits first, pixels after; every failure
// is a status with a message.
//
// Conversions to 8-bit sRGB: grey is repeated; 16-bit is scaled down; alpha is dropped; an ICC profile on RGB
// or grey is ignored, as in the reference; CMYK and Lab go through libvips's colour conversion. Animated
// files give their first frame, multi-page files their first page. EXIF orientation is ignored unless asked
// for.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/input_spec.h"
#include "base/status.h"
#include "image/decode_config.h"
#include "image/raster.h"

namespace quasar::image {

/// A picture, or why there is none.
struct Prepared {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;  ///< Empty when ok.
  int width = 0;      ///< Of the file's header; 0 when it could not be read.
  int height = 0;
  std::string format;  ///< "jpeg", "png", ...; empty when not recognised.
  RgbImage image;      ///< Empty unless ok.
};

/// Decodes at full size. Thread-safe; throws nothing for bad data.
Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config);

/// Decodes and brings the picture to an encoder's input, resampling in the file's own mode as Pillow does.
Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec);

}  // namespace quasar::image
