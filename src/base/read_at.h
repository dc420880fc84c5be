// Owns the reading of so many bytes at a place of a file, however the kernel hands them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/descriptor.h"

namespace quasar::base {

struct ReadAt {
  std::size_t bytes = 0;  ///< Read; fewer than were asked for where the file ends, or an error came.
  int error = 0;          ///< errno of what stopped it; 0 at the end of the file, too.
};

/// Reads from `offset` on until `bytes` are full, the file ends or reading fails.
ReadAt read_at(const Descriptor& file, std::uint64_t offset, std::span<std::byte> bytes);

}  // namespace quasar::base
