// Internal to the module: waiting for MPI without keeping the core from others.
#pragma once

#include <span>

#include "comm/mpi_handle.h"

namespace quasar::comm {

/// Waits for every request: polls, and sleeps ever longer in between. MPI's own waiting keeps a core busy,
/// which on the first rank's machine is one that all others wait for. The dispatcher knows meanwhile that
/// this rank waits.
void finish(std::span<MPI_Request> requests, const Communicator::Handle& handle);

}  // namespace quasar::comm
