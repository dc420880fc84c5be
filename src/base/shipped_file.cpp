#include "base/shipped_file.h"

#include <cstdlib>
#include <system_error>
#include <vector>

#include "base/errors.h"

namespace quasar::base {
namespace {

/// Empty when no folder has the file.
std::filesystem::path look_for(const std::filesystem::path& relative) {
  std::vector<std::filesystem::path> places;
  if (const char* folder = std::getenv("QUASAR_DATA_DIR"); folder != nullptr) places.emplace_back(folder);
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) {
    places.push_back(program.parent_path().parent_path() / "share" / "quasar");
    for (auto folder = program.parent_path(); folder != folder.root_path(); folder = folder.parent_path())
      places.push_back(folder);
  }
  places.push_back(std::filesystem::current_path(ignored));
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place / relative, ignored)) return place / relative;
  }
  return {};
}

}  // namespace

std::filesystem::path find_shipped_file(const std::filesystem::path& relative) {
  auto found = look_for(relative);
  if (found.empty()) {
    fail(
        ExitCode::kInput,
        "the file " + relative.string() +
            " that ships with Quasar is not beside the program; set QUASAR_DATA_DIR to the folder that holds "
            "it (share/quasar of an installation)");
  }
  return found;
}

std::filesystem::path resolve_input_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.is_absolute() || std::filesystem::exists(path, ignored)) return path;
  auto shipped = look_for(path);
  return shipped.empty() ? path : shipped;
}

}  // namespace quasar::base
