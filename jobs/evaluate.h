// Owns what evaluations of runs and of tables have in common.
#pragma once

#include <vector>

#include "evaluation/evaluate.h"
#include "job.h"
#include "plot/page.h"

namespace quasar::jobs {

/// What the options ask for, by fold where they say so.
evaluation::Evaluation measured(evaluation::RatedPictures& pictures, const EvaluateOptions& options);

/// Writes what a path is given for, and prints the rest. `disagreements`: pictures by scorer, for the page.
void tell(const evaluation::RatedPictures& pictures, const evaluation::Evaluation& evaluation,
          const std::vector<std::vector<plot::Thumbnail>>& disagreements, const EvaluateOptions& options);

}  // namespace quasar::jobs
