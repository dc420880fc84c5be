// Owns the patterns that stand for tars: braces {0..9}, {a,b} and globs *, ?, [..].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace quasar::corpus {

/// The tars of a source, pattern by pattern, each pattern's matches in bytewise order, as (path, name in
/// ids). The name is the path below the pattern's last folder without a wildcard. Throws Error(kInput) for a
/// pattern without any match, a tar that is missing, or more than a million matches.
struct TarFile {
  std::filesystem::path path;
  std::string name;
};
std::vector<TarFile> expand_tars(const std::vector<std::string>& patterns);

}  // namespace quasar::corpus
