// Owns the wish to stop: SIGTERM, SIGINT and SIGUSR1 (Slurm's warning before the wall time) set a flag that
// long work looks at between items.
#pragma once

namespace quasar::pipeline {

/// Installs the handlers. A second signal has the system's default effect.
void watch_stop_signals();

/// Whether a stop was asked for since the start.
bool stop_requested();

}  // namespace quasar::pipeline
