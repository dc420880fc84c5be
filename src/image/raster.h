// Owns the in-memory picture that the rest of the program passes around.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quasar::image {

/// 8-bit sRGB, interleaved: pixels[(y * width + x) * 3 + c], c = R, G, B. Empty when width is 0.
struct RgbImage {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  RgbImage() = default;
  RgbImage(int w, int h)
      : width(w), height(h), pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
};

}  // namespace quasar::image
