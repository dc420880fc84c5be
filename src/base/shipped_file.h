// Owns where the files that come with Quasar lie: its weights, anchors and configurations.
#pragma once

#include <filesystem>

namespace quasar::base {

/// `relative` ("anchors/mini.safetensors") in the first folder that has such a file: QUASAR_DATA_DIR,
/// share/quasar beside an installed program's bin/, the folders above the program (the source tree, for one
/// that was only built), the working directory. Throws Error(kInput) when it is in none, or when
/// QUASAR_DATA_DIR, which need not be set, names no folder.
std::filesystem::path find_shipped_file(const std::filesystem::path& relative);

/// The file that a configuration means by `path`: that of the working directory; where it has none, a
/// relative path means the file that comes with Quasar. `path` itself when there is neither. Throws
/// Error(kInput) when it has to look and QUASAR_DATA_DIR names no folder.
std::filesystem::path resolve_input_file(const std::filesystem::path& path);

}  // namespace quasar::base
