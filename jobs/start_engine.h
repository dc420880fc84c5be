// Owns the way from quasar to quasar-engine.
#pragma once

namespace quasar::jobs {

/// Becomes quasar-engine, which QUASAR_ENGINE may name, as base::companion_program() finds it: the same
/// process with the same arguments and environment, so that whoever has started it sees no difference.
/// Returns never. To be called before MPI starts. Throws Error(kInput) naming the program and the cure when
/// it cannot be started.
[[noreturn]] void become_engine(char** argv);

}  // namespace quasar::jobs
