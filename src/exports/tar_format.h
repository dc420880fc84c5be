// Internal to the module: what a tar is made of, as POSIX.1-2001 has it: ustar headers, with a pax header
// before those whose name or size they cannot hold. Nothing in them but name and size says which machine,
// user or time made them, so that equal samples are equal bytes.
//
// By hand, as the size of all that lies before a member's data has to be known before anything is written:
// members are written at their places in the order in which they are read. libarchive writes streams only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quasar::exports {

inline constexpr std::uint64_t kTarBlock = 512;
/// Zeros that end a tar.
inline constexpr std::uint64_t kTarEnd = 2 * kTarBlock;

/// `bytes` up to whole blocks.
constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kTarBlock - 1) / kTarBlock * kTarBlock;
}

/// All that stands before the data of a regular file: one block, or three and more with a pax header.
std::string tar_header(std::string_view name, std::uint64_t size);

}  // namespace quasar::exports
