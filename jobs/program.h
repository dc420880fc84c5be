// Owns a program of Quasar from its command line to its exit status. There are two: quasar, which is what is
// typed and what launchers start, and quasar-engine, which it becomes for the jobs that need LibTorch, so
// that those that do not need it start without.
#pragma once

#include "job.h"

namespace quasar::jobs {

/// Reads the command line; does the chosen work on every rank, or becomes quasar-engine where `engine` lacks
/// it; returns the exit status. An error is printed once.
int run_program(int argc, char** argv, const EngineJobs& engine);

}  // namespace quasar::jobs
