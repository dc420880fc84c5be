// Owns what is printed of a plan.
#pragma once

#include "corpus/plan.h"
#include "pipeline/run_config.h"

namespace quasar::jobs {

/// Run directory, images, shards, and what was left out.
void print_plan(const corpus::Plan& plan, const pipeline::RunConfig& config);

}  // namespace quasar::jobs
