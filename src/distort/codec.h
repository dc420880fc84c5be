// Internal to the module: what coding leaves of a picture. Each takes the level's parameter.
#pragma once

#include "distort/planes.h"

namespace quasar::distort {

RgbImage jpeg_coded(const RgbImage& image, int quality);
RgbImage webp_coded(const RgbImage& image, int quality);
RgbImage jpeg2000_coded(const RgbImage& image, double ratio);

}  // namespace quasar::distort
