#include "start_engine.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/companion_program.h"
#include "base/errors.h"

namespace quasar::jobs {

void become_engine(char** argv) {
  const auto program = base::companion_program("quasar-engine", "QUASAR_ENGINE");
  std::string cause;
  std::error_code error;
  if (std::filesystem::equivalent(program, "/proc/self/exe", error)) {
    cause = "it is quasar itself";
  } else {
    ::execv(program.c_str(), argv);
    cause = base::describe_errno(errno);
  }
  base::fail(base::ExitCode::kInput,
             "cannot start " + program.string() + ", which does this job: " + cause +
                 "; install quasar-engine beside quasar, or set QUASAR_ENGINE to where it is");
}

}  // namespace quasar::jobs
