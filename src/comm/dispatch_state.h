// Owns what the dispatcher knows: which shards of a pass are handed out, what every rank got done and when it
// was last heard of, who wants to stop, who has left. Pure state without MPI, clock or threads: calls go in,
// replies come out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/errors.h"
#include "comm/dispatch_message.h"

namespace quasar::comm {

/// A reply and the rank it goes to.
struct Addressed {
  int rank = 0;
  Reply reply;
};

/// Why the job has to end.
struct Verdict {
  base::ExitCode code = base::ExitCode::kStalled;
  std::string message;
};

/// Rows of a pass so far, and the rank behind the others.
struct PassProgress {
  std::int64_t rows = 0;
  int working = 0;  ///< Ranks that have not left.
  int slowest = 0;  ///< Of these, the one with the fewest rows.
  std::int64_t slowest_rows = 0;
};

/// Not thread-safe.
class DispatchState {
 public:
  /// `hosts`: the name of each rank's host, by rank.
  explicit DispatchState(std::vector<std::string> hosts);

  /// Takes a call from a rank; the replies that are due now, to this rank or others.
  std::vector<Addressed> take(int rank, const Call& call);

  /// Looks at all ranks. `awake`: seconds that this process has been awake, so that nobody's silence counts
  /// while it was itself halted; `limit`: the longest silence, seconds. The reason to end the job, if there
  /// is one:
  /// a rank is not heard of; it is, and gets nothing done though it waits for no other; all of them wait for
  /// one another; or one has ended, and another waits for what it will not do any more.
  std::optional<Verdict> look(double awake, double limit);

  PassProgress progress(std::int32_t pass) const;
  bool stop_wanted() const { return stop_; }
  /// Whether every rank but this one (0) has said its last word.
  bool others_are_gone() const;

 private:
  struct Rank {
    std::uint64_t calls = 0;
    Call last;
    bool ended = false;
    bool gone = false;
    Outcome outcome;
    // As the last looks found it.
    std::uint64_t calls_seen = UINT64_MAX;
    double heard = 0;
    std::uint64_t activity_seen = UINT64_MAX;
    double active = 0;
  };
  struct Pass {
    std::int64_t next = 0;
    bool failing = false;
    std::vector<std::int64_t> rows;
    std::vector<std::optional<Outcome>> left;
    std::vector<std::uint64_t> ids;  ///< Of the calls that wait for the others to leave.
  };

  Pass& pass_of(std::int32_t number);
  std::int64_t next_shard(const Call& call);
  std::vector<Addressed> leave(int rank, const Call& call);
  std::vector<Addressed> end(int rank, const Call& call);
  std::string name(std::size_t rank) const;
  std::optional<Verdict> verdict_on(std::size_t rank, double awake, double limit) const;
  std::optional<Verdict> verdict_on_all(double awake, double limit) const;

  std::vector<std::string> hosts_;
  std::vector<Rank> ranks_;
  std::map<std::int32_t, Pass> passes_;
  std::vector<std::uint64_t> end_ids_;
  bool stop_ = false;
};

}  // namespace quasar::comm
