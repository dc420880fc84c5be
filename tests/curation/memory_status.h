// What the kernel says of this process's memory, for tests of limits.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace quasar::curation {

/// "VmRSS" or "VmHWM" (its peak) of this process, in bytes.
inline std::uint64_t memory_status(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) << 10U;
  }
  return 0;
}

}  // namespace quasar::curation
