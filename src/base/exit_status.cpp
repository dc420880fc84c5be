#include "base/exit_status.h"

namespace quasar::base {

std::string_view exit_meaning(ExitCode code) {
  // Without a default, so that the compiler misses a status that is left out.
  switch (code) {
    case ExitCode::kOk:
      return "done";
    case ExitCode::kInternal:
      return "an internal error: please report it";
    case ExitCode::kUsage:
      return "the command line is wrong";
    case ExitCode::kConfig:
      return "the configuration is wrong";
    case ExitCode::kInput:
      return "an input is missing or not what it should be";
    case ExitCode::kOutput:
      return "something could not be written";
    case ExitCode::kMismatch:
      return "two things that must agree do not (fingerprints, plans)";
    case ExitCode::kDevice:
      return "the device is missing or failed";
    case ExitCode::kNoResult:
      return "not one usable image";
    case ExitCode::kVerification:
      return "stored results differ from recomputed ones";
    case ExitCode::kStalled:
      return "a rank fell silent or a decoder hung (run again to continue)";
    case ExitCode::kInterrupted:
      return "interrupted (run again to continue)";
  }
  return "unknown";
}

std::vector<ExitCode> all_exit_codes() {
  std::vector<ExitCode> codes;
  constexpr int kLargest = 255;
  for (int number = 0; number <= kLargest; ++number) {
    const auto code = static_cast<ExitCode>(number);
    if (exit_meaning(code) != "unknown") codes.push_back(code);
  }
  return codes;
}

}  // namespace quasar::base
