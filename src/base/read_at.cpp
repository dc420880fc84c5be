#include "base/read_at.h"

#include <unistd.h>

#include <cerrno>

namespace quasar::base {

ReadAt read_at(const Descriptor& file, std::uint64_t offset, std::span<std::byte> bytes) {
  ReadAt read;
  while (read.bytes < bytes.size()) {
    const auto rest = bytes.subspan(read.bytes);
    const ssize_t got =
        ::pread(file.number(), rest.data(), rest.size(), static_cast<off_t>(offset + read.bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) read.error = errno;
    if (got <= 0) break;
    read.bytes += static_cast<std::size_t>(got);
  }
  return read;
}

}  // namespace quasar::base
