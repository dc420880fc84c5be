// Owns trying suspected images one by one in a process of their own, where a crash or an endless loop costs
// nothing but the process. The process is this program, started anew without MPI: a fork of a rank would take
// along locks and half of the thread pools.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "base/status.h"
#include "corpus/item.h"
#include "image/decode_config.h"

namespace quasar::pipeline {

/// First argument that makes the program call answer_probe() before anything else.
inline constexpr const char* kProbeCommand = "probe-images";

struct ProbeOutcome {
  base::RowStatus status = base::RowStatus::kOk;  ///< kOk: harmless; kCrashed or kTimedOut.
  std::string error;                              ///< Empty when harmless.
};

/// Reads and decodes each item in a child process; the outcomes, in order. `program` must hand its
/// kProbeCommand to answer_probe(). Throws Error(kInternal) when the child cannot be started,
/// Error(kInterrupted) when a stop is asked for.
std::vector<ProbeOutcome> probe_items(const std::vector<corpus::Item>& items,
                                      const image::DecodeConfig& config, const base::InputSpec& spec,
                                      const std::filesystem::path& program = "/proc/self/exe");

/// The child's side: reads the request on standard input, answers on standard output. The exit status.
int answer_probe();

/// What a row says whose image hangs the decoder, wherever that was noticed.
std::string hung_message();

}  // namespace quasar::pipeline
