// Owns the division of a plan among independent jobs.
#pragma once

namespace quasar::dataset {

/// A share of a plan for one of several independent jobs on the same run directory, such as the tasks of a
/// Slurm job array: the shards whose id leaves the remainder `index` when divided by `count`.
struct Part {
  int index = 0;  ///< In [0, count).
  int count = 1;

  bool holds(int shard) const { return shard % count == index; }
};

}  // namespace quasar::dataset
