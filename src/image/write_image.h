// Owns writing of pictures to files.
#pragma once

#include <filesystem>

#include "image/raster.h"

namespace quasar::image {

/// Writes a PNG atomically. Throws Error(kOutput).
void write_png(const RgbImage& image, const std::filesystem::path& path);

/// Writes a JPEG of quality 1..100 atomically. Throws Error(kOutput).
void write_jpeg(const RgbImage& image, const std::filesystem::path& path, int quality);

}  // namespace quasar::image
