// Owns decoding of foreign image bytes: by content, never by name; limits first, pixels after; every failure
// is a status with a message.
//
// Conversions to 8-bit sRGB are the reference's (Pillow's convert("RGB")): grey is repeated; alpha is
// dropped, so that a transparent pixel has the colour that it would have; CMYK and YCCK are mixed without a
// profile, and an ICC profile on RGB or grey is ignored. Of 16 bits the upper 8 are kept; Lab and floats go
// through libvips's colour conversion. Animated files give their first frame, multi-page files their first
// page. EXIF orientation is ignored unless asked for.
//
// A picture is ok when all of it was there: one whose data end early, or are corrupt from some row on, is
// kDecodeFailed, or ok with what was there (DecodeConfig::truncated).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/input_spec.h"
#include "base/status.h"
#include "image/decode_config.h"
#include "image/pdq.h"
#include "image/raster.h"

namespace quasar::image {

/// A picture, or why there is none.
struct Prepared {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;  ///< Empty when ok and whole; "truncated: ..." when ok with a part of it.
  int width = 0;      ///< Of the file's header; 0 when it could not be read.
  int height = 0;
  std::string format;  ///< "jpeg", "png", ...; empty when not recognised.
  RgbImage image;      ///< Empty unless ok.
  std::vector<PdqHash>
      hashes;  ///< Of the decoded pixels, DecodeConfig::perceptual_hashes of them; empty unless ok.
};

/// What is known of a picture before its pixels are decoded.
struct Header {
  std::string_view format;  ///< As Prepared::format.
  int width = 0;            ///< The file's.
  int height = 0;
  int decoded_width = 0;  ///< As it will be decoded: smaller than the file's with decode.mode fast.
  int decoded_height = 0;
  int channels = 0;           ///< Of the file, alpha included.
  int sample_bytes = 1;       ///< Of one sample of one channel, as the loader gives it.
  bool whole_passes = false;  ///< Progressive JPEG or interlaced PNG: no row is there before the last pass.
  bool turned = false;        ///< Will be turned by its orientation.
  std::size_t file_bytes = 0;
};

/// Asked once, when the header is within the limits, before pixels are decoded; false refuses the picture,
/// which is then kOutOfMemory.
using Admission = std::function<bool(const Header&)>;

// Several threads may decode at once. libvips has one buffer of messages for the whole process, though: where
// pictures fail at the same time, their messages may be mixed, and with them the choice between
// kDecodeFailed, kUnsupportedPixels and kOutOfMemory. Where that matters, decode in processes
// (decode/worker_pool.h). There is no limit of time here.

/// Decodes at full size. Throws nothing for bad data, and std::bad_alloc without memory for the pixels.
Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config, const Admission& admit = {});

/// Decodes and brings the picture to an encoder's input, resampling in the file's own mode as Pillow does.
/// Throws as decode does.
Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec,
                 const Admission& admit = {});

}  // namespace quasar::image
