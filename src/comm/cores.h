// Owns the answer to how many cores a rank may use, for whatever it does with them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace quasar::comm {

/// What is known of a rank's place.
struct RankPlace {
  std::string machine;     ///< Equal for ranks of one machine.
  std::vector<int> cores;  ///< Numbers of the cores it is allowed (affinity, cpuset).
};

/// Cores for ranks[own]: each core it is allowed counts as its part for every rank of the machine that is
/// allowed it too, so that ranks bound to cores of their own have them whole and ranks on one set of cores
/// divide it. No more than `cpus_per_task` (SLURM_CPUS_PER_TASK), where that is above 0: a launcher that
/// knows nothing of Slurm binds to nothing, and other jobs may run beside this one. At least 1.
int fair_cores(std::span<const RankPlace> ranks, std::size_t own, int cpus_per_task);

/// fair_cores for this rank. Collective.
int cores_of_rank(const Communicator& comm);

}  // namespace quasar::comm
