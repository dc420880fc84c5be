// Owns the report of long work: one line redrawn on a terminal, a log line every so often elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace quasar::base {

/// "12,345/60,000 images, 1,234/s, 38 s left": reports at most every 0.2 s on a terminal; in a log after 2 s,
/// once there is a rate, then every 10 s. One object, one thread; only rank 0 of a job owns one.
class Progress {
 public:
  /// Says nothing of work that takes less than two seconds, which most of its kind does.
  enum class Brief { kNo, kYes };

  /// `total` 0 means unknown.
  Progress(std::string what, std::string unit, std::uint64_t total, Brief brief = Brief::kNo);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Takes the count done so far (not an increment) and reports when it is time to. `note` is appended.
  void update(std::uint64_t done, const std::string& note = "");
  /// Reports the final count and rate. Called by the destructor when forgotten, with the last count.
  void finish();

 private:
  std::string line(std::uint64_t done, const std::string& note) const;

  std::string what_;
  std::string unit_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t first_done_ = 0;
  bool started_ = false;
  bool finished_ = false;
  bool terminal_;
  Brief brief_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_report_;
};

/// "1,234,567".
std::string with_thousands(std::uint64_t value);
/// "1 shard", "1,234 shards", for words whose plural ends in s.
std::string counted(std::uint64_t value, std::string_view thing);
/// "1.2 GiB", "312 B".
std::string human_bytes(std::uint64_t bytes);
/// "3 h 12 min", "41 s", "0.3 s".
std::string human_duration(double seconds);

}  // namespace quasar::base
