// Owns where the program of the workers is.
#pragma once

#include <filesystem>

namespace quasar::decode {

/// quasar-decode, which QUASAR_DECODE may name, as base::companion_program() finds it.
std::filesystem::path default_program();

}  // namespace quasar::decode
