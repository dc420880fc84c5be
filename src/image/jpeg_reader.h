// Internal to the module: owns the pixels of JPEGs, by libjpeg itself: libvips keeps the first of its
// warnings alone, and whether a picture is whole hangs on each.
//
// A picture is whole when no word of libjpeg says that coded data ended early or was corrupt, every component
// was there, and the passes of a progressive file brought every coefficient that they began to its last bit.
// All else that libjpeg warns of is harmless: bytes between or after the data, parameters of the wrong
// process, broken profiles, a missing end marker. Arithmetic-coded data may end early by its standard, so
// what is lost of it before a marker is not seen.
#pragma once

#include <cstddef>
#include <span>

#include "image/reader.h"

namespace quasar::image {

/// Reads what the header describes; `shrink` is 1, 2, 4 or 8, and decoded_width and decoded_height are that
/// many times smaller. CMYK and YCCK come as CMYK with ink as high values.
Reading read_jpeg(std::span<const std::byte> bytes, const Header& header, int shrink, RowSink& sink);

}  // namespace quasar::image
