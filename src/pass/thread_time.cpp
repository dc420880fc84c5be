#include "pass/thread_time.h"

#include <algorithm>

namespace quasar::pass {
namespace {

constexpr std::array<std::string_view, kDoings> kNames = {
    "reading",
    "decoding",
    "uploading",
    "encoding",
    "writing",
    "waiting for pictures",
    "waiting for the encoder",
    "waiting for the writer",
    "waiting for a shard",
};

}  // namespace

std::string_view doing_name(Doing doing) {
  return kNames[static_cast<std::size_t>(doing)];
}

std::optional<Doing> doing_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Doing>(found - kNames.begin());
}

ThreadTime ThreadClock::seconds() const {
  ThreadTime time{};
  for (std::size_t i = 0; i < kDoings; ++i)
    time[i] = static_cast<double>(nanoseconds_[i].load(std::memory_order_relaxed)) * 1e-9;
  return time;
}

}  // namespace quasar::pass
