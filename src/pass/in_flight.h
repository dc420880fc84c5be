// Owns what the threads of a rank are at: told by the watch of a rank that hangs, by one that is slow to
// stop, and by `quasar status`.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::pass {

/// An image, or a batch of them, being worked on.
struct ItemInFlight {
  std::string doing;  ///< "reading", "decoding", "encoding", "encoding 32 pictures from".
  int shard = 0;
  std::string id;
  double seconds = 0;  ///< Since that began.
};

/// A slot per thread. Thread-safe.
class InFlightTable {
 public:
  explicit InFlightTable(int slots) : slots_(static_cast<std::size_t>(slots)) {}

  void begin(int slot, std::string_view doing, int shard, std::string_view id);
  void end(int slot);

  /// The longest first.
  std::vector<ItemInFlight> items() const;
  /// "reading a/7.jpg for 12.3 s"; empty when nothing has taken as long as `least_seconds`.
  std::string longest(double least_seconds) const;

 private:
  struct Slot {
    bool busy = false;
    ItemInFlight item;
    std::chrono::steady_clock::time_point since;
  };
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
};

/// Called whenever a slot begins an item, on its thread; one for the process, set at its start.
void set_in_flight_observer(std::function<void(std::string_view doing, std::string_view id)> observer);

/// Ends a slot's item, exceptions included.
class InFlightSlot {
 public:
  InFlightSlot(InFlightTable& table, int slot) : table_(table), slot_(slot) {}
  ~InFlightSlot() { table_.end(slot_); }
  InFlightSlot(const InFlightSlot&) = delete;
  InFlightSlot& operator=(const InFlightSlot&) = delete;

 private:
  InFlightTable& table_;
  int slot_;
};

}  // namespace quasar::pass
