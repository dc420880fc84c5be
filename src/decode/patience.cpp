#include "decode/patience.h"

#include <algorithm>

namespace quasar::decode {
namespace {

/// A worker that computes nothing, waiting for a lock of its own say, is given this many times the limit.
constexpr double kIdleTimes = 4;
/// Share of a turn below which a worker has done nothing in it.
constexpr double kIdleShare = 0.01;
constexpr double kLongestTurn = 0.2;
constexpr double kShortestTurn = 0.001;

}  // namespace

double Patience::turn() const {
  const double left = std::min(timeout_ - (last_ - start_), kIdleTimes * timeout_ - idle_);
  return std::clamp(left, kShortestTurn, kLongestTurn);
}

bool Patience::over_after(double meant, double lasted, double processor) {
  const double counted = std::min(meant, lasted);
  if (processor - last_ < kIdleShare * counted) idle_ += counted;
  last_ = processor;
  return last_ - start_ >= timeout_ || idle_ >= kIdleTimes * timeout_;
}

}  // namespace quasar::decode
