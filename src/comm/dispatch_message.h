// Owns the words between a rank and the dispatcher, and their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/errors.h"

namespace quasar::comm {

/// What a rank says to the dispatcher.
enum class CallKind : std::uint8_t {
  kPulse,    ///< A sign of life.
  kTake,     ///< Wants the next shard of the pass.
  kLeave,    ///< Has no more to do in the pass; answered when that holds for all ranks.
  kEnd,      ///< Its work is over, well or not; answered when that holds for all ranks.
  kGoodbye,  ///< Its last word.
};

/// Outcome of a piece of work on a rank.
struct Outcome {
  base::ExitCode code = base::ExitCode::kOk;
  std::string message;
};

struct Call {
  CallKind kind = CallKind::kPulse;
  std::uint64_t id = 0;        ///< Comes back with the reply; counts up on each rank.
  std::int32_t pass = 0;       ///< Number of the pass, the same on every rank; 0 outside of one.
  std::int64_t shards = 0;     ///< kTake: length of the pass's list of shards.
  std::int64_t rows = 0;       ///< Rows done in the pass so far, by this rank.
  std::uint64_t activity = 0;  ///< base::activity().
  bool waiting = false;        ///< The rank waits for other ranks.
  bool stop = false;           ///< The rank was asked to stop.
  Outcome outcome;             ///< kLeave, kEnd.
  std::string phase;           ///< base::current_phase().
};

struct Reply {
  std::uint64_t id = 0;
  std::int64_t shard = -1;  ///< kTake: place in the list, or -1 when there is none left, or none to be taken.
  bool stop = false;        ///< Some rank was asked to stop.
  Outcome outcome;          ///< kLeave, kEnd: of the lowest rank that failed.
};

/// Bytes of a call and a reply as they are sent; longer texts are cut at kMostTextBytes.
inline constexpr std::size_t kMostTextBytes = 8000;
std::string to_bytes(const Call& call);
std::string to_bytes(const Reply& reply);
/// Throw Error(kInternal) for bytes that are no such thing.
Call call_from_bytes(std::string_view bytes);
Reply reply_from_bytes(std::string_view bytes);

}  // namespace quasar::comm
