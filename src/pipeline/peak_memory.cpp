#include "pipeline/peak_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/logging.h"
#include "base/progress.h"
#include "decode/worker_memory.h"

namespace quasar::pipeline {

void report_peak_memory(const RunConfig& config, const comm::Communicator& comm) {
  const auto own = peak_resident_bytes() + decode::peak_worker_bytes();
  const auto peak =
      static_cast<std::uint64_t>(comm.all_reduce(static_cast<std::int64_t>(own), comm::Reduction::kMax));
  if (!comm.is_root()) return;
  if (config.memory == 0) {
    base::log_info("peak memory of a rank and its decode workers: {} (no limit is set: key memory)",
                   base::human_bytes(peak));
    return;
  }
  const auto limit = static_cast<std::uint64_t>(config.memory);
  if (peak <= limit) {
    base::log_info("peak memory of a rank and its decode workers: {} of {}", base::human_bytes(peak),
                   base::human_bytes(limit));
  } else {
    base::log_warning("peak memory of a rank and its decode workers: {}, more than the {} that memory allows",
                      base::human_bytes(peak), base::human_bytes(limit));
  }
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t peak_resident_bytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace quasar::pipeline
