// Owns encoding of pictures by libvips, and writing of them to files.
#pragma once

#include <filesystem>
#include <string>

#include "image/raster.h"

namespace quasar::distort {

/// Writes a PNG atomically. Throws Error(kOutput).
void write_png(const image::RgbImage& image, const std::filesystem::path& path);

/// A JPEG of quality 1..100 with libvips' other defaults. Throws Error(kOutput).
std::string jpeg_bytes(const image::RgbImage& image, int quality);

/// The same as WebP.
std::string webp_bytes(const image::RgbImage& image, int quality);

/// Writes a JPEG of quality 1..100 atomically. Throws Error(kOutput).
void write_jpeg(const image::RgbImage& image, const std::filesystem::path& path, int quality);

}  // namespace quasar::distort
