// Owns pictures that misbehave on purpose, for tests.
#pragma once

#include <string_view>

namespace quasar::decode {

/// Does to this process what the environment variable QUASAR_TEST_POISON says of the item, as a picture does
/// that hits a bug of a decoder. The variable lists, with ',' between, "WHAT:ID", where an ID that ends in
/// '*' is of all that begin so:
///   abort  ends by a failed check        segv   ends by a bad access     kill  ends as if from outside
///   spin   computes for ever             sleep  waits for ever           oom   allocates until it is refused
///   exit   ends with exit status 1       lie    answers what is no answer
/// Throws std::bad_alloc for "oom". True for "lie", which the caller does.
bool poison(std::string_view id);

}  // namespace quasar::decode
