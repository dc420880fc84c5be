// Internal to the module: owns reading through libvips, of every format but GIF: the headers of JPEGs, and
// headers and pixels of the others.
#pragma once

#include <cstddef>
#include <span>

#include "image/reader.h"

namespace quasar::image {

/// Opens the bytes by the loader that their content asks for, if we trust it. `bytes` must outlive the
/// reader.
Opened open_vips(std::span<const std::byte> bytes);

/// Turns and mirrors decoded pixels as an EXIF orientation (2 to 8) says. Apart from decoding, as it needs
/// rows in any order, and decoding gives them in theirs. False without memory for it.
bool turn(Raster& raster, int orientation);

}  // namespace quasar::image
