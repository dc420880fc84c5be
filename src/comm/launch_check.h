// Owns the question whether a program that is alone was meant to be: a launcher that does not speak with this
// MPI starts N processes that each take themselves for the whole job.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace quasar::comm {

/// What is known of how a process was started.
struct LaunchFacts {
  std::map<std::string, std::string> environment;  ///< The variables that launchers set.
  std::string control_group;                       ///< /proc/self/cgroup.
  int world_size = 1;                              ///< As MPI has it.
};

/// A process that its launcher started as one of several, and MPI as the only one.
struct LaunchMistake {
  std::string message;  ///< What launcher and MPI say, and what would be right.
  bool first = true;    ///< Of the launcher's processes; one message is enough.
};

/// Of this process.
LaunchFacts launch_facts(int world_size);

/// Nothing is wrong when MPI has several ranks, when the launcher started one process (mpirun -n 1), and when
/// no launcher started it: in a batch script, an interactive shell or a login inside an allocation of any
/// size. QUASAR_ALONE=1 in the environment says that processes side by side are meant to know nothing of each
/// other.
std::optional<LaunchMistake> find_launch_mistake(const LaunchFacts& facts);

}  // namespace quasar::comm
