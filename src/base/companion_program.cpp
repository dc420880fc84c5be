#include "base/companion_program.h"

#include <cstdlib>
#include <system_error>

namespace quasar::base {

std::filesystem::path companion_program(const std::string& name, const char* variable) {
  if (const char* named = std::getenv(variable); named != nullptr && *named != '\0') return named;
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  auto beside = folder / name;
  if (std::filesystem::exists(beside, error)) return beside;
  const auto in_build = folder.parent_path() / "jobs" / name;
  return std::filesystem::exists(in_build, error) ? in_build : beside;
}

}  // namespace quasar::base
