#include "comm/launch_check.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

namespace quasar::comm {
namespace {

/// What the launchers that start ranks themselves say: their variables for the number of ranks and the rank.
/// Open MPI's mpirun; then the PMI of MPICH, Intel MPI and Slurm's pmi2; MVAPICH.
struct Launcher {
  const char* size;
  const char* rank;
};
constexpr Launcher kLaunchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
    {"PMI_SIZE", "PMI_RANK"},
    {"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"},
};
/// Set by srun for the tasks of a step; a batch script has SLURM_PROCID too, not the step's number of tasks.
constexpr Launcher kSlurmStep = {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"};
constexpr const char* kTerminal = "SLURM_PTY_PORT";
constexpr const char* kMeantToBeAlone = "QUASAR_ALONE";

const std::string* find(const LaunchFacts& facts, const char* name) {
  const auto found = facts.environment.find(name);
  return found == facts.environment.end() ? nullptr : &found->second;
}

int number(const std::string* text) {
  int value = 0;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

/// Whether Slurm says that this is no task of a step that srun started, though its variables were handed
/// down: a batch script that was submitted from within a step, a shell that somebody types into.
bool is_no_task(const LaunchFacts& facts) {
  if (find(facts, kTerminal) != nullptr) return true;
  for (const char* const step : {"step_batch", "step_interactive", "step_extern"}) {
    if (facts.control_group.find(step) != std::string::npos) return true;
  }
  return false;
}

LaunchMistake mistake(const LaunchFacts& facts, const Launcher& launcher, const std::string& cure) {
  const int rank = number(find(facts, launcher.rank));
  return {"this is process " + std::to_string(rank) + " of " +
              std::to_string(number(find(facts, launcher.size))) + " for the launcher (" + launcher.size +
              "), and MPI knows of 1: each would do the whole job in the same "
              "run directory. " +
              cure + " If the processes are to know nothing of each other, set " + kMeantToBeAlone + "=1",
          rank == 0};
}

}  // namespace

LaunchFacts launch_facts(int world_size) {
  LaunchFacts facts;
  facts.world_size = world_size;
  const auto keep = [&](const char* name) {
    if (const char* const value = std::getenv(name); value != nullptr) facts.environment[name] = value;
  };
  for (const auto& launcher : kLaunchers) {
    keep(launcher.size);
    keep(launcher.rank);
  }
  for (const char* const name : {kSlurmStep.size, kSlurmStep.rank, kTerminal, kMeantToBeAlone}) keep(name);
  std::ifstream group("/proc/self/cgroup");
  facts.control_group.assign(std::istreambuf_iterator<char>(group), {});
  return facts;
}

std::optional<LaunchMistake> find_launch_mistake(const LaunchFacts& facts) {
  const auto* const alone = find(facts, kMeantToBeAlone);
  if (facts.world_size != 1 || (alone != nullptr && *alone == "1")) return std::nullopt;
  const auto* const slurm_rank = find(facts, kSlurmStep.rank);
  const bool slurm = slurm_rank != nullptr && number(find(facts, kSlurmStep.size)) > 1 && !is_no_task(facts);
  for (const auto& launcher : kLaunchers) {
    const auto* const size = find(facts, launcher.size);
    if (size == nullptr) continue;
    if (number(size) == 1) return std::nullopt;
    // Slurm's pmi2 sets them too: its cure is the better one.
    if (number(size) < 1 || slurm) continue;
    return mistake(
        facts, launcher,
        "Start it with the mpirun of the MPI that quasar was built with (quasar --version names it).");
  }
  if (!slurm) return std::nullopt;
  return mistake(
      facts, kSlurmStep,
      "Start it with \"srun --mpi=pmix\", where \"srun --mpi=list\" names pmix and the MPI of quasar "
      "(quasar --version) was built with it; else with the mpirun of that MPI.");
}

}  // namespace quasar::comm
