// Internal to the module: reading and writing at places of open files, with errors that name the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/descriptor.h"

namespace quasar::exports {

/// Throws Error(kInput).
base::Descriptor open_for_reading(const std::filesystem::path& path);
/// A new file that can be read, too; one that is there is emptied. Throws Error(kOutput).
base::Descriptor create_file(const std::filesystem::path& path);

/// All of `bytes` from `offset` on. Throws Error(kInput), also where the file ends before.
void read_exactly(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
                  std::span<std::byte> bytes);
/// Throws Error(kOutput), disk full included.
void write_at(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
              std::span<const std::byte> bytes);
void write_at(const base::Descriptor& file, const std::filesystem::path& path, std::uint64_t offset,
              std::string_view text);

}  // namespace quasar::exports
