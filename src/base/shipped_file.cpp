#include "base/shipped_file.h"

#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::base {
namespace {

/// Empty when no folder has the file.
std::filesystem::path look_for(const std::filesystem::path& relative) {
  std::vector<std::filesystem::path> places;
  const char* const folder = std::getenv("QUASAR_DATA_DIR");
  if (folder != nullptr && *folder != '\0') {
    // Other anchors than those that were asked for would otherwise be taken without a word.
    if (!std::filesystem::is_directory(file_status(folder, "QUASAR_DATA_DIR")))
      fail(ExitCode::kInput,
           std::string("QUASAR_DATA_DIR: there is no folder ") + folder +
               "; set it to the folder that holds what ships with Quasar (share/quasar of an "
               "installation), or unset it");
    places.emplace_back(folder);
  }
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) {
    places.push_back(program.parent_path().parent_path() / "share" / "quasar");
    for (auto above = program.parent_path(); above != above.root_path(); above = above.parent_path())
      places.push_back(above);
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
