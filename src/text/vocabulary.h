// Internal to the module: text files that may be compressed.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::text {

/// Content of a text file, gzip-compressed or plain, told apart by content. Throws Error(kInput) naming the
/// file when it is missing, damaged, larger than `limit` bytes, or compressed where this build has no zlib.
std::string read_text_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace quasar::text
