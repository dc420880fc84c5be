// What the benchmarks share: positional arguments, clocks, and the kernel's account of a process.
#pragma once

#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

namespace quasar::benchmarks {

/// Positional arguments with defaults. What cannot be read ends the program with the usage and exit status 2.
class Arguments {
 public:
  Arguments(int argc, char** argv, const char* usage) : argc_(argc), argv_(argv), usage_(usage) {}

  /// A positive number at this place, from 1.
  std::uint64_t number(int place, std::uint64_t fallback) const {
    if (place >= argc_) return fallback;
    const std::string_view text = argv_[place];
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value == 0) refuse(text);
    return value;
  }
  std::filesystem::path folder(int place, const std::filesystem::path& fallback) const {
    std::filesystem::path path = place < argc_ ? argv_[place] : fallback;
    if (!std::filesystem::is_directory(path)) refuse(path.native());
    return path;
  }
  [[noreturn]] void refuse(std::string_view what) const {
    std::fprintf(stderr, "not understood: '%.*s'\nusage: %s\n", static_cast<int>(what.size()), what.data(),
                 usage_);
    std::exit(2);
  }

 private:
  int argc_;
  char** argv_;
  const char* usage_;
};

/// A size from /proc/self/status, in bytes: "VmRSS" (memory in use now), "VmHWM" (its peak).
inline std::uint64_t memory_status(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) << 10U;
  }
  return 0;
}

/// From here on the peak counts from what is in use now.
inline void reset_memory_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Processor time of all threads of this process, and of the processes that it has waited for.
inline double processor_seconds() {
  timespec own{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  rusage waited{};
  ::getrusage(RUSAGE_CHILDREN, &waited);
  return static_cast<double>(own.tv_sec + waited.ru_utime.tv_sec + waited.ru_stime.tv_sec) +
         1e-9 * static_cast<double>(own.tv_nsec) +
         1e-6 * static_cast<double>(waited.ru_utime.tv_usec + waited.ru_stime.tv_usec);
}

inline double seconds_of(const std::function<void()>& work, double (*now)() = wall_seconds) {
  const double start = now();
  work();
  return now() - start;
}

}  // namespace quasar::benchmarks
