// Owns the knowledge of whether the system has refused this process memory. Libraries say so in many words,
// or say something else, or fail in another way; here every allocation passes.
#pragma once

namespace quasar::decode {

/// Whether an allocation has failed since the last call of forget_refusals. False where allocations cannot be
/// watched: under sanitizers and without glibc.
bool memory_was_refused();
void forget_refusals();

/// From now on a crash after a refusal ends the process with kExitOutOfMemory: a library went on without the
/// memory.
void tell_refusals_from_crashes();

}  // namespace quasar::decode
