// Owns writing of pictures to files.
#pragma once

#include <filesystem>

#include "image/raster.h"

namespace quasar::distort {

/// Writes a PNG atomically. Throws Error(kOutput).
void write_png(const image::RgbImage& image, const std::filesystem::path& path);

/// Writes a JPEG of quality 1..100 atomically. Throws Error(kOutput).
void write_jpeg(const image::RgbImage& image, const std::filesystem::path& path, int quality);

}  // namespace quasar::distort
