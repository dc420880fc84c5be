// Owns the question what lies at a path, where not being able to tell is an error of its own: a folder that
// may not be searched is no missing file.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::base {

/// What lies at `path`, symbolic links followed; file_type::not_found when nothing does. Throws Error(kInput)
/// with the path and the reason ("Permission denied") when that cannot be told; `where` ("FILE:LINE:COLUMN:
/// KEY") goes before the message, unless empty.
std::filesystem::file_status file_status(const std::filesystem::path& path, const std::string& where = "");

/// Name of a user; the number where it has none.
std::string user_name(unsigned user);

/// The end of a message about an access to `path` that failed with `error_number`: where permission was
/// denied, whose the path is (or the nearest folder above it that is there) and what would help. Else empty.
std::string access_note(const std::filesystem::path& path, int error_number);

}  // namespace quasar::base
