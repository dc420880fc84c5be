// Owns the search for rows of equal hashes over all ranks.
#pragma once

#include <cstdint>
#include <functional>

#include "cluster/hamming_pairs.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// Calls `take` for each row of this rank whose hash a row of a lower number has, with the lowest. Each row
/// has one hash. `memory`: bytes that the hashes held on this rank may take, at least a few thousand rows';
/// more of them are gone through in several passes over the source. Collective. Throws what the source
/// throws, on every rank.
void find_equal(const HashSource& rows, std::uint64_t memory, const comm::Communicator& comm,
                const std::function<void(std::uint64_t number, std::uint64_t lowest)>& take);

}  // namespace quasar::cluster
