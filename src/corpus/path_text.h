// Owns how file names, which are any bytes, become the UTF-8 text that ids, manifests and HDF5 hold.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace quasar::corpus {

/// `bytes` where every byte that is not part of well-formed UTF-8 (RFC 3629), and NUL, stands as %XX.
std::string escaped_text(std::string_view bytes);

/// A path as text: verbatim when it is well-formed UTF-8, which nearly all are; otherwise "percent:" followed
/// by the path with its bad bytes and its percent signs as %XX.
std::string path_to_text(const std::filesystem::path& path);
/// The path again.
std::filesystem::path text_to_path(std::string_view text);

}  // namespace quasar::corpus
