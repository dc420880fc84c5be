// Owns how a limit of memory is named that a user is asked to set.
#pragma once

#include <cstdint>
#include <string>

namespace quasar::base {

/// "1234MiB", as a key of a configuration is written: at least these bytes, with something to spare, as a
/// process is not of the same size at every start.
inline std::string limit_text(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
  return std::to_string((bytes + bytes / 64 + kMiB - 1) / kMiB) + "MiB";
}

}  // namespace quasar::base
