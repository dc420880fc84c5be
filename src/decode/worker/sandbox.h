// Owns what a worker does to itself so that bytes of strangers can do no harm: it goes with its parent, hears
// no signal of the job, is the first to be killed when the machine runs out of memory, and can neither reach
// the network, nor write a file, nor start or signal another process.
#pragma once

namespace quasar::decode {

/// First thing in main: ends the process with the pool's, now or later. `parent` is the pool's process.
void end_with_parent(int parent);

/// Signals, limits and inherited descriptors. Before libraries start threads.
void settle_in();

/// Installs the filter of system calls; they fail with EPERM then. Once every library is loaded. False where
/// the kernel has no such filters.
bool confine();

/// Tries what confine forbids and prints what was not refused. Returns an exit status: 0 when all was
/// refused.
int check_confinement();

}  // namespace quasar::decode
