// Owns the end of what launched a job that has ended: mpirun, and its daemons on other hosts, wait for a host
// that has left the network for a quarter of an hour, long after the last rank they can reach has gone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

namespace quasar::pass {

/// The nearest process above this one that is OpenMPI's launcher (mpirun) or its daemon on this host (orted,
/// prted). None without a launcher, under Slurm's, or in a container that hides it.
std::optional<pid_t> launcher_above();

/// For a rank that is about to end its job at once, right before MPI_Abort: leaves a process behind that
/// outlives it. Where the launcher is still there after `grace`, that process closes the launcher's
/// connections that nobody answers on, so that it notices what it has lost, and ends with the job's own exit
/// status; after a second, those to all other hosts. Closing needs the right to trace the launcher (the same
/// user, where kernel.yama.ptrace_scope is 0). A launcher that stays, or that may not be traced, is sent
/// SIGTERM, twice, and at last SIGKILL; its exit status says little then. All of it takes `grace` and four
/// seconds at most.
///
/// Does nothing where there is no launcher_above(). Takes no lock and no memory once the process is split, so
/// that any state of the other threads will do. Needs Linux 5.6.
void end_launcher_after(std::chrono::seconds grace);

}  // namespace quasar::pass
