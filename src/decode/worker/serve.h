// Owns the work of a worker: pictures, one after the other, from shared memory to shared memory.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

namespace quasar::decode {

/// Serves the pool at the other end of kControlDescriptor until it is gone. Returns the exit status.
int serve();

/// Called in the confined process with the id of an item, before it is decoded. Returns nothing for the item
/// to be decoded; or, when it has answered the request itself, whether the pool is still there. May throw
/// std::bad_alloc.
using ItemObserver = std::function<std::optional<bool>(std::string_view id)>;

/// One for the process, set before serve().
void set_item_observer(ItemObserver observer);

}  // namespace quasar::decode
