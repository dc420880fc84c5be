// Owns a seeded generator of natural-looking pictures, for trying Quasar without any photos at hand.
#pragma once

#include <cstdint>

#include "image/raster.h"

namespace quasar::distort {

/// A picture with statistics close to those of photos: either dead leaves (overlapping shapes whose sizes
/// follow a power law, each with a 1/f texture and shading; Lee, Mumford, Huang 2001) or a landscape (sky,
/// sun, haze, fractal hills). The seed alone decides; sides from 16 px. Throws Error(kInternal) below.
image::RgbImage render_scene(int width, int height, std::uint64_t seed);

}  // namespace quasar::distort
