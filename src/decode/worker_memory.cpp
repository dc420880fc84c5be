#include "decode/worker_memory.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>

namespace quasar::decode {
namespace {

std::atomic<std::uint64_t> seen_peak{0};

/// Resident memory that is not shared with other processes; 0 for one that is gone.
std::uint64_t own_bytes(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;
  if (!(file >> size >> resident >> shared)) return 0;
  return (resident - std::min(shared, resident)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t peak_worker_bytes() {
  return seen_peak;
}

void sample_workers(std::span<const int> processes) {
  std::uint64_t all = 0;
  for (const int process : processes) all += own_bytes(process);
  std::uint64_t most = seen_peak;
  while (all > most && !seen_peak.compare_exchange_weak(most, all)) {
  }
}

}  // namespace quasar::decode
