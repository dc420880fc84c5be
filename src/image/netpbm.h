// Owns reading of binary PGM and PPM: pixels as they are, as implementations of hashes are compared on. They
// are no pictures of a corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quasar::image {

/// A picture whose pixels [height, width, channels] lie in the bytes that it was read from.
struct NetpbmPicture {
  int width = 0;
  int height = 0;
  int channels = 0;  ///< 1 (P5) or 3 (P6).
  std::span<const std::uint8_t> pixels;
};

/// Nothing for bytes that are no P5 or P6 of 8 bits a sample (maximum 255), are cut off, or are larger than
/// 65,535 a side. Comments are allowed where the format has them; bytes behind the pixels are passed over.
std::optional<NetpbmPicture> read_netpbm(std::span<const std::byte> bytes);

}  // namespace quasar::image
