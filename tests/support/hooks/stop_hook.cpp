// Linked into the tests' quasar: a rank that is stopped where a phase begins. Where the environment variable
// QUASAR_TEST_STOP is "PHASE:RANK", the process sends itself SIGUSR1, as a batch system does; where it is
// "PHASE:RANK:halt", SIGSTOP, as if its machine stood still; where it is "PHASE:RANK:kill", SIGKILL.
// And an encoder that is slow while others wait for it: where QUASAR_TEST_SLOW is "N:FILE", the first batch
// that is encoded waits until N pictures have been handed to decoders, then sends SIGTERM to the process, and
// takes until FILE is there.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "base/activity.h"
#include "comm/communicator.h"
#include "pass/in_flight.h"

namespace quasar::base {
namespace {

void stop_at(const std::string& phase) {
  const char* const setting = std::getenv("QUASAR_TEST_STOP");
  if (setting == nullptr) return;
  const std::string here = phase + ":" + std::to_string(comm::Environment::rank());
  if (setting == here) std::raise(SIGUSR1);
  const bool halt = setting == here + ":halt";
  if (!halt && setting != here + ":kill") return;
  // Long enough for the others to have heard of the phase.
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  std::raise(halt ? SIGSTOP : SIGKILL);
}

template <typename Condition>
void wait_until(const Condition& holds) {
  while (!holds()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void be_slow(std::string_view doing, std::string_view /*id*/) {
  static std::atomic<int> decoding{0};
  static std::atomic<bool> encoding{false};
  const char* const setting = std::getenv("QUASAR_TEST_SLOW");
  if (setting == nullptr) return;
  if (doing == "decoding") ++decoding;
  if (!doing.starts_with("encoding") || encoding.exchange(true)) return;
  char* file = nullptr;
  const auto pictures = std::strtol(setting, &file, 10);
  wait_until([&] { return decoding >= pictures; });
  ::kill(::getpid(), SIGTERM);
  wait_until([&] { return std::filesystem::exists(file + 1); });
}

[[maybe_unused]] const bool kRegistered = [] {
  set_phase_observer(stop_at);
  pass::set_in_flight_observer(be_slow);
  return true;
}();

}  // namespace
}  // namespace quasar::base
