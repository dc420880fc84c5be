#include "base/errors.h"

#include <system_error>

namespace quasar::base {

void fail(ExitCode code, const std::string& message) {
  throw Error(code, message);
}

std::string describe_errno(int error_number) {
  return std::generic_category().message(error_number) + " (errno " + std::to_string(error_number) + ")";
}

namespace detail {
void check_failed(std::string_view condition, std::string_view file, int line) {
  const auto slash = file.rfind('/');
  if (slash != std::string_view::npos) file.remove_prefix(slash + 1);
  fail(ExitCode::kInternal, "internal check failed: " + std::string(condition) + " at " + std::string(file) +
                                ":" + std::to_string(line) + "; please report this with the log");
}
}  // namespace detail

}  // namespace quasar::base
