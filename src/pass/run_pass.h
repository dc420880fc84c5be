// Owns the one way in which the ranks of a job work off a list of shards together.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/progress.h"
#include "comm/communicator.h"

namespace quasar::pass {

/// A list of shards to be worked off.
struct PassJob {
  std::string name;             ///< Phase, and name in the progress line.
  std::string unit = "shards";  ///< What add_done() counts; empty for a pass that reports nothing.
  std::size_t shards = 0;       ///< Length of the list.
  std::uint64_t total = 0;      ///< Units of the whole, those included that were done before.
  std::uint64_t done_before = 0;
  std::function<void()> tick =
      {};  ///< Called about five times a second on a thread of its own; throws nothing.
  base::Progress::Brief brief = base::Progress::Brief::kNo;  ///< kYes for what mostly is over at once.
};

/// A rank's side of a pass.
class ShardFeed {
 public:
  /// Place in the list of the next shard for this rank; none when there is none left, another rank has
  /// failed, or a stop was asked for. May wait for the dispatcher. From one thread at a time.
  virtual std::optional<std::size_t> next() = 0;
  /// Counts units that are done. Thread-safe.
  virtual void add_done(std::uint64_t units) = 0;

 protected:
  ShardFeed() = default;
  ~ShardFeed() = default;
};

/// Runs `work` on every rank; it takes shards from the feed until there is none. Shards go to whoever asks
/// first, in the list's order. `work` is the rank's own: it calls no collective. Ends on all ranks together
/// when all have returned; if it threw on one, the others take no further shard, and all throw the Error of
/// the lowest rank that failed. Throws Error(kInterrupted) on all when a stop was asked for. Collective.
void run_pass(const PassJob& job, const comm::Communicator& comm,
              const std::function<void(ShardFeed&)>& work);

}  // namespace quasar::pass
