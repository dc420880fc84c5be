#include "exports/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/errors.h"
#include "base/file_status.h"
#include "base/read_at.h"

namespace quasar::exports {

base::Descriptor open_for_reading(const std::filesystem::path& path) {
  base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    const int error = errno;
    base::fail(base::ExitCode::kInput, "cannot open " + path.string() + ": " + base::describe_errno(error) +
                                           base::access_note(path, error));
  }
  return file;
}

base::Descriptor create_file(const std::filesystem::path& path) {
  base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.is_open()) {
    const int error = errno;
    base::fail(base::ExitCode::kOutput, "cannot create " + path.string() + ": " +
                                            base::describe_errno(error) + base::access_note(path, error));
  }
  return file;
}

void read_exactly(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
                  std::span<std::byte> bytes) {
  const auto read = base::read_at(file, offset, bytes);
  if (read.error != 0) {
    base::fail(base::ExitCode::kInput,
               "cannot read " + path.string() + ": " + base::describe_errno(read.error));
  }
  if (read.bytes != bytes.size())
    base::fail(base::ExitCode::kInput, path.string() + " became shorter while it was read");
}

void write_at(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
              std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(file.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      base::fail(base::ExitCode::kOutput,
                 "cannot write " + path.string() + ": " + base::describe_errno(put == 0 ? ENOSPC : errno));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void write_at(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
              std::string_view text) {
  write_at(file, path, offset, std::as_bytes(std::span(text)));
}

}  // namespace quasar::exports
