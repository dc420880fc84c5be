// Owns the rendering of degraded pictures: the 25 kinds at 5 levels of KADID-10k and KADIS-700k (Lin, Hosu,
// Saupe 2019).
//
// Used to build quality anchors from good photos alone, to train the built-in encoder, and to measure
// agreement with people. A rendering depends on the picture, the kind, the level and the seed alone.
#pragma once

#include <cstdint>

#include "distort/distortion_table.h"
#include "image/raster.h"

namespace quasar::distort {

/// The picture degraded by the level 1..5 of a kind. Any size from 1 x 1. Throws Error(kInternal) for a level
/// outside.
image::RgbImage distort(const image::RgbImage& image, DistortionKind kind, int level, std::uint64_t seed);

}  // namespace quasar::distort
