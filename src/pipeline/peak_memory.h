// Owns the look at what a rank's memory is and has been, against the configured limit.
#pragma once

#include <cstdint>

#include "comm/communicator.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Logs the largest peak of all ranks, each with its decode workers, against config.memory; a warning when it
/// lies above. Collective.
void report_peak_memory(const RunConfig& config, const comm::Communicator& comm);

/// Bytes of this process in memory, now and at most so far (Linux; 0 where that is not known).
std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();

}  // namespace quasar::pipeline
