// Owns where the programs are that ours starts: quasar-engine and quasar-decode.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::base {

/// What the environment variable `variable` names; else `name` beside the running program; else, as in a
/// build folder, in the folder jobs/ beside that of the running program. Where it is nowhere, the place where
/// it should be.
std::filesystem::path companion_program(const std::string& name, const char* variable);

}  // namespace quasar::base
