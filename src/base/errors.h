// Owns the one exception type that leaves the library on purpose, and the exit statuses of `quasar`.
//
// A broken image, a corrupt archive member, a failed row are not errors in this sense: they are values with a
// status. An Error is for what stops the work: a wrong config, a missing file, a full disk.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace quasar::base {

/// Exit status of the program, by kind of failure. Documented in README.md; never renumbered.
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,      ///< A bug: an invariant of ours was broken.
  kUsage = 2,         ///< The command line is wrong.
  kConfig = 3,        ///< The configuration is wrong: unknown key, wrong type, impossible value.
  kInput = 4,         ///< An input (corpus, weights, anchors, table) is missing or not what it should be.
  kOutput = 5,        ///< Something could not be written: permission, disk full.
  kMismatch = 6,      ///< Two things that must agree do not: fingerprints, plans, dimensions.
  kDevice = 7,        ///< The requested device is missing or failed.
  kNoResult = 8,      ///< The work ended without a single usable row.
  kVerification = 9,  ///< Stored results differ from recomputed ones.
  kStalled = 10,      ///< A rank fell silent for longer than allowed and the job was ended.
  kInterrupted = 75,  ///< Stopped by a signal with all finished work saved; run again to continue.
};

/// What was wrong, where, and what would be right, in one paragraph for the user.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Throws Error(code, message).
[[noreturn]] void fail(ExitCode code, const std::string& message);

/// Throws an internal Error naming file and line when an invariant of our own does not hold; stays on in
/// release.
#define QUASAR_CHECK(condition)                                                             \
  do {                                                                                      \
    if (!(condition)) ::quasar::base::detail::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

/// "strerror (errno N)" of an errno value, thread-safe.
std::string describe_errno(int error_number);

namespace detail {
[[noreturn]] void check_failed(std::string_view condition, std::string_view file, int line);
}

}  // namespace quasar::base
