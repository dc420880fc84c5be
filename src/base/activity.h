// Owns what a process tells of its own work: which phase it is in, and a count of things that got done. Who
// watches the process compares the count with what it was before; the work itself knows nothing of that.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace quasar::base {

/// Counts one thing that got done: a block written, a file read, a collective finished. Cheap; thread-safe.
void note_activity() noexcept;
/// Things done since the start.
std::uint64_t activity() noexcept;

/// Names what the process is at from construction to destruction ("k-means"); before the first one, that is
/// "start". Phases nest; the innermost is the one that is told. For the process's main thread; any thread
/// may ask.
class Phase {
 public:
  explicit Phase(std::string name);
  ~Phase();
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  std::string outer_;
};

/// Adds to the phase, while it lives, what `tell` says at the time ("reading a/7.jpg for 12 s"; nothing when
/// it is empty). One at a time; `tell` is called on any thread.
class PhaseDetail {
 public:
  explicit PhaseDetail(std::function<std::string()> tell);
  ~PhaseDetail();
  PhaseDetail(const PhaseDetail&) = delete;
  PhaseDetail& operator=(const PhaseDetail&) = delete;
};

std::string current_phase();

/// Called with the name of every phase that begins, on its thread; one for the process, set at its start.
void set_phase_observer(std::function<void(const std::string&)> observer);

}  // namespace quasar::base
