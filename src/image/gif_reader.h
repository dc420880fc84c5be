// Internal to the module: owns the first picture of a GIF (GIF89a specification, CompuServe 1990).
//
// By hand, because libvips composes frames on a transparent ground of its own, and the reference does not: a
// transparent pixel has the colour that its entry in the palette has, and what the frame does not cover has
// the transparent entry's, or the first's. Frames after the first are not looked at.
#pragma once

#include <cstddef>
#include <span>

#include "image/reader.h"

namespace quasar::image {

bool is_gif(std::span<const std::byte> bytes);

/// The picture is as large as the screen, or as its first frame reaches where that is further.
Opened open_gif(std::span<const std::byte> bytes);

}  // namespace quasar::image
