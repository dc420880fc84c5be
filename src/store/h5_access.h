// Internal to the module: how HDF5 opens files, and what to say when it does not.
#pragma once

#include <filesystem>
#include <string>

#include "store/h5.h"

namespace quasar::store::h5 {

/// Of every file: fixed versions of the format, no locks.
Handle access_properties();

/// For a file that HDF5 has not opened, with its reason: tells a file that cannot be read from one that is
/// not what it should be. Throws Error(kInput).
[[noreturn]] void fail_open(const std::filesystem::path& path, const std::string& reason);

/// For a file that HDF5 has not created. Throws Error(kOutput).
[[noreturn]] void fail_create(const std::filesystem::path& path, const std::string& reason);

}  // namespace quasar::store::h5
