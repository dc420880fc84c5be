// Linked into the tests' quasar: a rank that is stopped where a phase begins. Where the environment variable
// QUASAR_TEST_STOP is "PHASE:RANK", the process sends itself SIGUSR1, as a batch system does; where it is
// "PHASE:RANK:halt", SIGSTOP, as if its machine stood still; where it is "PHASE:RANK:kill", SIGKILL.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/activity.h"
#include "comm/communicator.h"

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

[[maybe_unused]] const bool kRegistered = [] {
  set_phase_observer(stop_at);
  return true;
}();

}  // namespace
}  // namespace quasar::base
