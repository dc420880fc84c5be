#include "print_plan.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/progress.h"

namespace quasar::jobs {

void print_plan(const corpus::Plan& plan, const pipeline::RunConfig& config) {
  fmt::print("run directory  {}\nimages         {}\nshards         {}\n", config.run.root().string(),
             base::with_thousands(plan.item_count()), plan.shards().size());
  for (const auto& set : plan.published_sets()) fmt::print("data set       {}\n", corpus::to_text(set));
  for (const auto& [reason, count] : plan.left_out()) {
    fmt::print("left out       {} ({})\n", base::with_thousands(count), reason);
  }
  for (const auto& [reason, count] : plan.noted()) {
    fmt::print("noted          {} ({})\n", base::with_thousands(count), reason);
  }
}

}  // namespace quasar::jobs
