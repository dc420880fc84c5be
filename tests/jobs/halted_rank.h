// Owns a run of which one rank stands still where a phase begins, so that a test meets it there on a machine
// of any speed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace quasar::test {

struct HaltedRun {
  std::unique_ptr<Program> program;
  pid_t rank = -1;  ///< Process that stands still (SIGSTOP); -1 when the run ended before.
};

/// Starts the hooked program over `ranks` ranks and waits until rank `which` is halted at the beginning of
/// `phase`.
inline HaltedRun start_halted(const std::vector<std::string>& arguments, const std::string& config, int ranks,
                              const std::string& phase, int which) {
  HaltedRun found;
  const auto stop = "QUASAR_TEST_STOP=" + phase + ":" + std::to_string(which) + ":halt";
  found.program = std::make_unique<Program>(arguments, ranks, std::vector<std::string>{stop});
  while (found.program->running() && found.rank < 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (const pid_t rank : ranks_of(config)) {
      if (content("/proc/" + std::to_string(rank) + "/status").find("\nState:\tT") != std::string::npos)
        found.rank = rank;
    }
  }
  return found;
}

}  // namespace quasar::test
