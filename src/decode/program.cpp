#include "decode/program.h"

#include <cstdlib>
#include <system_error>

namespace quasar::decode {

std::filesystem::path default_program() {
  if (const char* named = std::getenv("QUASAR_DECODE"); named != nullptr && *named != '\0') return named;
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  auto beside = folder / "quasar-decode";
  if (std::filesystem::exists(beside, error)) return beside;
  const auto in_build = folder.parent_path() / "jobs" / "quasar-decode";
  return std::filesystem::exists(in_build, error) ? in_build : beside;
}

}  // namespace quasar::decode
