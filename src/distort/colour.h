// Internal to the module: changes of colour and light. Each takes the level's parameter.
#pragma once

#include "distort/planes.h"

namespace quasar::distort {

Planes colour_diffused(const Planes& rgb, double amount);
Planes colour_shifted(const Planes& rgb, double amount, base::Random& random);
RgbImage colour_quantised(const RgbImage& image, int colours);
Planes saturated_hsv(const Planes& rgb, double factor);
Planes saturated_lab(const Planes& rgb, double factor);
Planes brightness_changed(const Planes& rgb, double amount);
Planes contrast_changed(const Planes& rgb, double amount);
Planes quantised(const Planes& rgb, int levels);

}  // namespace quasar::distort
