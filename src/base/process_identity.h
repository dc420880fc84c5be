// Owns the names by which processes tell each other apart, those of other machines included.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace quasar::base {

/// As the machine calls itself; two machines may have one name.
std::string host_name();

/// Of the running kernel: equal for all processes of a machine, other for every other machine and after a
/// restart. The host's name where the kernel does not tell.
std::string boot_id();

/// A process among all that may work on one file system. Numbers of processes mean something to those of the
/// same machine and the same namespace alone (containers have namespaces of their own).
struct ProcessIdentity {
  std::string machine;        ///< Eight digits of kernel and namespace.
  pid_t pid = 0;              ///< In that namespace.
  std::uint64_t started = 0;  ///< Clock ticks from the machine's start to the process's; 0: not known.

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// The calling process.
ProcessIdentity own_process();

/// "HOST.MACHINE.PID": for names of files and folders that are one process's.
std::string own_tag();
/// The process that a name with such a tag in it tells of; pid 0 when it is none of this machine.
ProcessIdentity process_named_in(const std::string& name);

enum class ProcessLife {
  kAlive,
  kDead,
  kUnknown,  ///< It is of another machine or namespace, or cannot be told.
};

/// What has become of a process. One that has ended and is not waited for yet is dead.
ProcessLife look_at(const ProcessIdentity& process);

}  // namespace quasar::base
