// Internal to the module: streams of hashes that all ranks go through together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "base/activity.h"
#include "cluster/hamming_pairs.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// Rows that a rank hands out at once.
inline constexpr std::size_t kChunkRows = std::size_t{1} << 16U;

/// Calls `route(row, parts)` for the rows of this rank, a chunk at a time; it puts each into the parts that
/// other ranks are to get. After each chunk, `arrive(rows of each rank)` is called on all ranks with what has
/// come, and may be collective, as long as any of them has rows. Collective. An error of the source is thrown
/// on every rank.
template <typename Route, typename Arrive>
void in_rounds(const HashSource& source, const comm::Communicator& comm, const Route& route,
               const Arrive& arrive) {
  std::vector<HashedRow> chunk;
  std::vector<std::vector<HashedRow>> parts(static_cast<std::size_t>(comm.size()));
  HashStream next;
  std::exception_ptr error;
  bool more = true;
  while (true) {
    for (auto& part : parts) part.clear();
    chunk.clear();
    if (more) {
      try {
        if (!next) next = source();
        next(chunk, kChunkRows);
        for (const auto& row : chunk) route(row, parts);
      } catch (...) {
        error = std::current_exception();
        chunk.clear();
      }
      more = !chunk.empty();
    }
    // One collective says both whether there is more, and whether a rank has failed.
    const auto state = comm.all_reduce(std::int64_t{error ? 2 : more ? 1 : 0}, comm::Reduction::kMax);
    if (state == 0) return;
    if (state == 2) {
      comm.together([&] {
        if (error) std::rethrow_exception(error);
      });
    }
    if (comm.size() == 1) {
      arrive(parts);
    } else {
      arrive(comm.exchange(parts));
    }
    base::note_activity();
  }
}

}  // namespace quasar::cluster
