#include "base/process_identity.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace quasar::base {
namespace {

/// FNV-1a, of which eight digits go into names of files.
std::uint32_t short_hash(const std::string& text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

/// Of the numbers of processes; empty where it cannot be told.
std::string pid_namespace() {
  std::array<char, 64> text{};
  const ssize_t size = ::readlink("/proc/self/ns/pid", text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "";
}

std::string own_machine() {
  std::array<char, 9> digits{};
  std::snprintf(digits.data(), digits.size(), "%08x", short_hash(boot_id() + pid_namespace()));
  return digits.data();
}

/// What /proc tells of a process of this machine.
struct Stat {
  char state = '?';
  std::uint64_t started = 0;
};

/// False where /proc has no such process, or there is no /proc.
bool read_stat(pid_t pid, Stat& stat) {
  std::string line;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line);
  // The program's name comes second, in parentheses, and may hold anything.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  constexpr int kFieldsBetween = 18;
  std::istringstream rest(line.substr(name_end + 1));
  rest >> stat.state;
  std::string skipped;
  for (int i = 0; i < kFieldsBetween; ++i) rest >> skipped;
  rest >> stat.started;
  return static_cast<bool>(rest);
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string boot_id() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id.empty() ? host_name() : id;
}

ProcessIdentity own_process() {
  static const std::string machine = own_machine();
  Stat stat;
  read_stat(::getpid(), stat);
  return {machine, ::getpid(), stat.started};
}

std::string own_tag() {
  const auto process = own_process();
  return host_name() + "." + process.machine + "." + std::to_string(process.pid);
}

ProcessIdentity process_named_in(const std::string& name) {
  ProcessIdentity process;
  // The host's name may hold points and digits; the machine's is told from all else by being this one's.
  const std::string own = "." + own_process().machine + ".";
  const auto at = name.find(own);
  if (at == std::string::npos) return process;
  const auto parsed = std::from_chars(name.data() + at + own.size(), name.data() + name.size(), process.pid);
  if (parsed.ec == std::errc{}) process.machine = own_process().machine;
  return process;
}

ProcessLife look_at(const ProcessIdentity& process) {
  if (process.pid <= 0 || process.machine != own_process().machine) return ProcessLife::kUnknown;
  if (::kill(process.pid, 0) != 0 && errno == ESRCH) return ProcessLife::kDead;
  Stat stat;
  // Another user's processes may be hidden in /proc.
  if (!read_stat(process.pid, stat)) return ProcessLife::kAlive;
  const bool reused = process.started != 0 && stat.started != process.started;
  return reused || stat.state == 'Z' || stat.state == 'X' ? ProcessLife::kDead : ProcessLife::kAlive;
}

}  // namespace quasar::base
