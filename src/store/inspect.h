// Owns the description of our HDF5 files for people.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::store {

/// What a file of ours holds: kind, provenance, shapes, counts by status, first rows. Throws Error(kInput).
std::string inspect(const std::filesystem::path& path);

/// "1.10.8".
std::string hdf5_version();

}  // namespace quasar::store
