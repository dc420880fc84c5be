// Owns libvips for every test of this program: it starts once in a process.
#pragma once

#include "image/vips_environment.h"

namespace quasar::image {

inline const VipsEnvironment kVips;

}  // namespace quasar::image
