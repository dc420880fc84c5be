// Internal to the module: blur, sharpening and what moves pixels. Each takes the level's parameter.
#pragma once

#include "distort/planes.h"

namespace quasar::distort {

Planes lens_blurred(const Planes& rgb, double radius);
Planes motion_blurred(const Planes& rgb, double length, base::Random& random);
Planes sharpened(const Planes& rgb, double amount);
Planes jittered(const Planes& rgb, double amount, base::Random& random);
RgbImage patches_moved(const RgbImage& image, int count, base::Random& random);
RgbImage pixelated(const RgbImage& image, double strength);
RgbImage colour_blocks(const RgbImage& image, int count, base::Random& random);

}  // namespace quasar::distort
