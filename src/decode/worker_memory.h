// Owns what is known of the memory of this process's decode workers.
#pragma once

#include <cstdint>
#include <span>

namespace quasar::decode {

/// Most memory of their own that all workers of a pool were seen to have at once, over all pools of this
/// process so far: what getrusage() says of the process itself. What they share, code and files and pixels
/// handed over, is not in it.
std::uint64_t peak_worker_bytes();

/// Looks how much the workers of a pool have now, given their process numbers. Thread-safe.
void sample_workers(std::span<const int> processes);

}  // namespace quasar::decode
