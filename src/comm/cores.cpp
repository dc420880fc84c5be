#include "comm/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>

#include "base/process_identity.h"

namespace quasar::comm {
namespace {

std::string own_place() {
  std::string text = base::boot_id() + " ";
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return text;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) text += std::to_string(core) + " ";
  }
  return text;
}

int cpus_per_task() {
  const char* const setting = std::getenv("SLURM_CPUS_PER_TASK");
  if (setting == nullptr) return 0;
  const std::string_view text = setting;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

}  // namespace

int fair_cores(std::span<const RankPlace> ranks, std::size_t own, int cpus_per_task) {
  std::map<int, int> sharers;
  for (const auto& rank : ranks) {
    if (rank.machine != ranks[own].machine) continue;
    for (const int core : rank.cores) ++sharers[core];
  }
  double share = 0;
  for (const int core : ranks[own].cores) share += 1.0 / sharers[core];
  // Thirds and the like must add up to whole numbers.
  int cores = static_cast<int>(share + 1e-6);
  if (cpus_per_task > 0) cores = std::min(cores, cpus_per_task);
  return std::max(1, cores);
}

int cores_of_rank(const Communicator& comm) {
  std::vector<RankPlace> ranks;
  for (const auto& text : comm.all_gather(own_place())) {
    std::istringstream words(text);
    RankPlace place;
    words >> place.machine;
    for (int core = 0; words >> core;) place.cores.push_back(core);
    ranks.push_back(std::move(place));
  }
  return fair_cores(ranks, static_cast<std::size_t>(comm.rank()), cpus_per_task());
}

}  // namespace quasar::comm
