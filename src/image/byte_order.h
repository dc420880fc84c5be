// Internal to the module: owns numbers as files have them, most or least significant byte first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quasar::image {

/// Of at most eight bytes, the first the most significant.
inline std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const auto byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return value;
}

/// Of at most eight bytes, the first the least significant.
inline std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[i - 1]);
  return value;
}

}  // namespace quasar::image
