// Internal to the module: owns the TIFFs that libvips cannot read, and libtiff itself can: sub-sampled
// without compression, tiles of separate planes. They come as libtiff's RGBA interface makes them, which is
// what the reference takes for most of them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "image/reader.h"

namespace quasar::image {

/// Null where libtiff cannot read the first picture either. `bytes` must outlive the reader.
std::unique_ptr<Reader> open_tiff(std::span<const std::byte> bytes);

}  // namespace quasar::image
