#include "base/stop_signal.h"

#include <csignal>
#include <initializer_list>
#include <string>

#include "base/errors.h"

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

std::string stopped_message() {
  return "stopped by a signal; finished shards are kept and the same command continues from them";
}

void end_if_stopped() {
  if (stop_requested()) fail(ExitCode::kInterrupted, stopped_message());
}

}  // namespace quasar::base
