// Owns the wish to stop: SIGTERM, SIGINT and SIGUSR1 (Slurm's warning before the wall time) set a flag that
// long work looks at between items.
#pragma once

#include <string>

namespace quasar::base {

/// Installs the handlers. SIGTERM and SIGUSR1 may come any number of times: a launcher forwards what the
/// process has been sent already. A second SIGINT has the system's default effect.
void watch_stop_signals();

/// Whether a stop was asked for since the start.
bool stop_requested();

/// Asks for a stop as a signal does: another rank of the job has got one.
void request_stop();

/// What the program says when it ends so.
std::string stopped_message();

/// Throws Error(kInterrupted) with that message when a stop was asked for.
void end_if_stopped();

}  // namespace quasar::base
