// Owns the program's log: one line per event on stderr with time, rank and level. The library logs through
// these functions only and never writes to stdout.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace quasar::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Rank shown in each line (no rank when the job has one process), and the least level written. Call once,
/// early.
void configure_logging(int rank, int ranks, LogLevel least);

void log_line(LogLevel level, std::string_view text);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace quasar::base
