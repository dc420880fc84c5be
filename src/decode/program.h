// Owns where the program of the workers is.
#pragma once

#include <filesystem>

namespace quasar::decode {

/// What the environment variable QUASAR_DECODE names; else quasar-decode beside the running program; else, as
/// in a build folder, in the folder jobs/ beside that of the running program. Where it is nowhere, the place
/// where it should be.
std::filesystem::path default_program();

}  // namespace quasar::decode
