#include "pass/in_flight.h"

#include <fmt/format.h>

#include <algorithm>

namespace quasar::pass {

void InFlightTable::begin(int slot, std::string_view doing, int shard, std::string_view id) {
  const std::scoped_lock lock(mutex_);
  auto& place = slots_.at(static_cast<std::size_t>(slot));
  place.busy = true;
  place.item.doing = doing;
  place.item.shard = shard;
  place.item.id = id;
  place.since = std::chrono::steady_clock::now();
}

void InFlightTable::end(int slot) {
  const std::scoped_lock lock(mutex_);
  slots_.at(static_cast<std::size_t>(slot)).busy = false;
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
