#include "comm/waiting.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/activity.h"

namespace quasar::comm {
namespace {

/// Turns before the first sleep: what comes at once costs no sleep.
constexpr int kEagerTurns = 100;
/// MPI moves data only while it is polled, so that long sleeps would slow large messages down; a rank that
/// waits for another one's work can sleep longer.
constexpr auto kShortestPause = std::chrono::microseconds(20);
constexpr auto kLongestPause = std::chrono::microseconds(500);
/// For so many sleeps data may be on its way.
constexpr int kBusySleeps = 2000;

}  // namespace

void finish(std::span<MPI_Request> requests, const Communicator::Handle& handle) {
  const Dispatcher::Waiting waiting(*handle.dispatcher);
  auto sleep = kShortestPause;
  for (int turn = 0;; ++turn) {
    int done = 0;
    check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
              "MPI_Testall");
    if (done != 0) return;
    if (turn < kEagerTurns) {
      std::this_thread::yield();
      continue;
    }
    std::this_thread::sleep_for(sleep);
    if (turn > kEagerTurns + kBusySleeps) sleep = std::min(2 * sleep, kLongestPause);
  }
}

}  // namespace quasar::comm
