#include "pass/in_flight.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quasar::pass {
namespace {

std::function<void(std::string_view, std::string_view)>& observer() {
  static std::function<void(std::string_view, std::string_view)> shared;
  return shared;
}

}  // namespace

void InFlightTable::begin(int slot, std::string_view doing, int shard, std::string_view id) {
  {
    const std::scoped_lock lock(mutex_);
    auto& place = slots_.at(static_cast<std::size_t>(slot));
    place.busy = true;
    place.item.doing = doing;
    place.item.shard = shard;
    place.item.id = id;
    place.since = std::chrono::steady_clock::now();
  }
  if (observer()) observer()(doing, id);
}

void InFlightTable::end(int slot) {
  const std::scoped_lock lock(mutex_);
  slots_.at(static_cast<std::size_t>(slot)).busy = false;
}

void set_in_flight_observer(std::function<void(std::string_view, std::string_view)> called) {
  observer() = std::move(called);
}

std::vector<ItemInFlight> InFlightTable::items() const {
  std::vector<ItemInFlight> items;
  const auto now = std::chrono::steady_clock::now();
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& slot : slots_) {
      if (!slot.busy) continue;
      items.push_back(slot.item);
      items.back().seconds = std::chrono::duration<double>(now - slot.since).count();
    }
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return items;
}

std::string InFlightTable::longest(double least_seconds) const {
  const auto all = items();
  if (all.empty() || all.front().seconds < least_seconds) return {};
  return fmt::format("{} {} for {:.1f} s", all.front().doing, all.front().id, all.front().seconds);
}

}  // namespace quasar::pass
