// Owns the writing of pictures as JPEG in memory, without libvips: for thumbnails in pages.
#pragma once

#include <string>

#include "image/raster.h"

namespace quasar::image {

/// A baseline JPEG of quality 1..100. Throws Error(kInternal) for a picture without pixels.
std::string baseline_jpeg(const RgbImage& image, int quality);

}  // namespace quasar::image
