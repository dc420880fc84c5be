// Internal to the module: the inner loop over hashes, compiled for several instruction sets and chosen at run
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quasar::cluster::kernels {

/// Finds the places i at which (first[i], second[i]) differs from (a, b) in at most `most` of the 128 bits,
/// in order. Writes them to `found`, which has room for all, and returns how many.
std::size_t within_distance(std::span<const std::uint64_t> first, std::span<const std::uint64_t> second,
                            std::uint64_t a, std::uint64_t b, unsigned most, std::uint32_t* found);

}  // namespace quasar::cluster::kernels
