// Internal to the module: the rows of other sets that kept rows must not be like, as this rank reads them.
#pragma once

#include <functional>
#include <string_view>

#include "comm/communicator.h"
#include "curation/duplicates.h"

namespace quasar::curation {

/// Calls `take` for each row of this rank's part of all sets of the rule, with the set's place in the rule.
/// The parts of the ranks follow each other, whatever their number. Not collective. Throws Error(kInput) for
/// what cannot be read, with file and line, and Error(kMismatch) for a run without the hashes that are
/// needed.
void for_each_outside(
    const DuplicateRule& rule, const comm::Communicator& comm,
    const std::function<void(std::size_t set, const Fingerprint& print, std::string_view name)>& take);

}  // namespace quasar::curation
