// Internal to the module: noise, and what is left of a picture when noise has been removed. Each takes the
// level's parameter.
#pragma once

#include "distort/planes.h"

namespace quasar::distort {

Planes white_noise(const Planes& rgb, double variance, base::Random& random);
Planes white_noise_ycbcr(const Planes& rgb, double variance, base::Random& random);
Planes impulse_noise(const Planes& rgb, double share, base::Random& random);
Planes multiplicative_noise(const Planes& rgb, double variance, base::Random& random);
Planes denoised(const Planes& rgb, double variance, base::Random& random);

}  // namespace quasar::distort
