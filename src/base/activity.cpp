#include "base/activity.h"

#include <atomic>
#include <mutex>
#include <utility>

namespace quasar::base {
namespace {

std::atomic<std::uint64_t> done{0};

struct PhaseState {
  std::mutex mutex;
  std::string name = "start";
  std::function<std::string()> detail;
  std::function<void(const std::string&)> observer;
};

PhaseState& state() {
  static PhaseState shared;
  return shared;
}

std::string exchange_phase(std::string name) {
  const std::scoped_lock lock(state().mutex);
  return std::exchange(state().name, std::move(name));
}

}  // namespace

void note_activity() noexcept {
  done.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t activity() noexcept {
  return done.load(std::memory_order_relaxed);
}

Phase::Phase(std::string name) : outer_(exchange_phase(name)) {
  note_activity();
  if (state().observer) state().observer(name);
}

Phase::~Phase() {
  note_activity();
  exchange_phase(std::move(outer_));
}

PhaseDetail::PhaseDetail(std::function<std::string()> tell) {
  const std::scoped_lock lock(state().mutex);
  state().detail = std::move(tell);
}

PhaseDetail::~PhaseDetail() {
  const std::scoped_lock lock(state().mutex);
  state().detail = nullptr;
}

std::string current_phase() {
  const std::scoped_lock lock(state().mutex);
  const auto detail = state().detail ? state().detail() : std::string();
  return detail.empty() ? state().name : state().name + ": " + detail;
}

void set_phase_observer(std::function<void(const std::string&)> observer) {
  state().observer = std::move(observer);
}

}  // namespace quasar::base
