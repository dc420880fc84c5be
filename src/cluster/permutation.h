// Owns FAISS's random permutation, which start rows and samples are drawn from.
#pragma once

#include <cstdint>
#include <vector>

namespace quasar::cluster {

/// FAISS's random permutation of 0..n-1 (rand_perm): mt19937, swaps forward.
std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed);

/// Its first `count` values, in memory proportional to `count`: later swaps never touch them.
std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed, std::int64_t count);

}  // namespace quasar::cluster
