#include "base/file_status.h"

#include <system_error>

#include "base/errors.h"

namespace quasar::base {

std::filesystem::file_status file_status(const std::filesystem::path& path, const std::string& where) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::status_known(status)) {
    fail(ExitCode::kInput, where + (where.empty() ? "" : ": ") + "cannot look at " + path.string() + ": " +
                               describe_errno(error.value()));
  }
  return status;
}

}  // namespace quasar::base
