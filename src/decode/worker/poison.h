// Owns pictures that misbehave on purpose, for tests.
#pragma once

#include <string_view>

namespace quasar::decode {

/// What to say instead of the truth.
enum class Lie { kNone, kSizes, kOtherSize, kBabble, kGreed };

/// Does to this process what the environment variable QUASAR_TEST_POISON says of the item, as a picture does
/// that hits a bug of a decoder. The variable lists, with ',' between, "WHAT:ID", where an ID that ends in
/// '*' is of all that begin so:
///   abort  ends by a failed check        segv   ends by a bad access     kill  ends as if from outside
///   spin   computes for ever             sleep  waits for ever           oom   allocates until it is refused
///   exit   ends with exit status 1
///   lie    answers impossible sizes      wrong  answers another size than the encoder's
///   babble sends what is no message      greed  asks for all memory there is, twice
/// Throws std::bad_alloc for "oom". The last four are for the caller to do, as a worker that a picture has
/// taken over might.
Lie poison(std::string_view id);

}  // namespace quasar::decode
