#include "pass/job_result.h"

#include <cstdlib>
#include <exception>
#include <string>

#include "base/atomic_file.h"
#include "base/logging.h"

namespace quasar::pass {

void write_job_result(int exit_status) noexcept {
  const char* const path = std::getenv("QUASAR_RESULT");
  if (path == nullptr || *path == '\0') return;
  try {
    base::write_file_atomically(path, std::to_string(exit_status) + "\n");
  } catch (const std::exception& error) {
    try {
      base::log_warning("QUASAR_RESULT: {}", error.what());
    } catch (...) {
      // There is nothing left to say it with.
    }
  }
}

}  // namespace quasar::pass
