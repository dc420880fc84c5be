#include "base/stop_signal.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <thread>

namespace quasar::base {
namespace {

volatile std::sig_atomic_t requested = 0;

void on_signal(int) {
  requested = 1;
}

}  // namespace

void watch_stop_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    if (number == SIGINT) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    ::sigaction(number, &action, nullptr);
  }
}

bool stop_requested() {
  return requested != 0;
}

void request_stop() {
  requested = 1;
}

void stop_for_test(std::string_view phase, int rank) {
  const char* const setting = std::getenv("QUASAR_TEST_STOP");
  if (setting == nullptr) return;
  const std::string here = std::string(phase) + ":" + std::to_string(rank);
  if (setting == here) std::raise(SIGUSR1);
  const bool halt = setting == here + ":halt";
  if (!halt && setting != here + ":kill") return;
  // Long enough for the others to have heard of the phase.
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  std::raise(halt ? SIGSTOP : SIGKILL);
}

std::string stopped_message() {
  return "stopped by a signal; finished shards are kept and the same command continues from them";
}

}  // namespace quasar::base
