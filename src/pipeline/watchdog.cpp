#include "pipeline/watchdog.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/errors.h"
#include "comm/communicator.h"

namespace quasar::pipeline {

Watchdog::Watchdog(std::chrono::milliseconds period, std::function<void()> look)
    : thread_([this, period, work = std::move(look)] {
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, period, [&] { return over_; })) {
          lock.unlock();
          work();
          lock.lock();
        }
      }) {}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void end_if_hung(Journal& journal, double seconds) {
  for (int slot = 0; slot < journal.slots(); ++slot) {
    const auto entry = journal.entry(slot);
    if (entry.phase != Phase::kDecoding || entry.seconds < seconds) continue;
    journal.set_phase(slot, Phase::kOverdue);
    end_job(static_cast<int>(base::ExitCode::kStalled),
            fmt::format(
                "the image {} has been in its decoder for {:.1f} s and cannot be stopped (decode.timeout_s); "
                "run again to continue: it is then left out, with a status of its own",
                entry.id, entry.seconds));
  }
}

void end_job(int exit_code, const std::string& message) {
  fmt::print(stderr, "quasar: {}\n", message);
  std::fflush(stderr);
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(30);
  comm::Environment::abort(exit_code);
}

}  // namespace quasar::pipeline
