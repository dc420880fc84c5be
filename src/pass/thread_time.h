// Owns what threads of the embedding are at, and the sums of the time that goes into each.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quasar::pass {

/// What a thread is at. Decode threads read, decode, and wait for the encoder, the writer or a shard; encode
/// threads upload, encode, and wait for pictures; one thread writes.
enum class Doing : std::uint8_t {
  kReading,
  kDecoding,
  kUploading,
  kEncoding,
  kWriting,
  kAwaitingPictures,
  kAwaitingEncoder,
  kAwaitingWriter,
  kAwaitingShard,
};
inline constexpr std::size_t kDoings = 9;

/// "reading", "waiting for pictures".
std::string_view doing_name(Doing doing);
std::optional<Doing> doing_from_name(std::string_view name);

/// Seconds, summed over threads, by number of what they were at.
using ThreadTime = std::array<double, kDoings>;

inline double& at(ThreadTime& time, Doing doing) {
  return time[static_cast<std::size_t>(doing)];
}
inline double at(const ThreadTime& time, Doing doing) {
  return time[static_cast<std::size_t>(doing)];
}

/// The same sums while threads add to them.
class ThreadClock {
 public:
  /// Adds the time from its construction to its destruction.
  class Lap {
   public:
    Lap(ThreadClock& clock, Doing doing)
        : sum_(clock.nanoseconds_[static_cast<std::size_t>(doing)]),
          start_(std::chrono::steady_clock::now()) {}
    ~Lap() { sum_ += std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count(); }
    Lap(const Lap&) = delete;
    Lap& operator=(const Lap&) = delete;

   private:
    std::atomic<std::int64_t>& sum_;
    std::chrono::steady_clock::time_point start_;
  };

  void add(Doing doing, std::chrono::nanoseconds time) {
    nanoseconds_[static_cast<std::size_t>(doing)] += time.count();
  }
  ThreadTime seconds() const;

 private:
  std::array<std::atomic<std::int64_t>, kDoings> nanoseconds_{};
};

}  // namespace quasar::pass
