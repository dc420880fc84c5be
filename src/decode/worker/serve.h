// Owns the work of a worker: pictures, one after the other, from shared memory to shared memory.
#pragma once

namespace quasar::decode {

/// Serves the pool at the other end of kControlDescriptor until it is gone. Returns the exit status.
int serve();

}  // namespace quasar::decode
