#include "cluster/permutation.h"

#include <random>
#include <unordered_map>

#include "base/errors.h"

namespace quasar::cluster {

std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed) {
  return faiss_permutation(n, seed, n);
}

std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed, std::int64_t count) {
  QUASAR_CHECK(count >= 0 && count <= n);
  std::mt19937 generator(static_cast<std::uint32_t>(seed));
  std::vector<std::int64_t> first(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) first[static_cast<std::size_t>(i)] = i;
  // Places at `count` and beyond that hold another value than their own.
  std::unordered_map<std::int64_t, std::int64_t> moved;
  for (std::int64_t i = 0; i < count && i + 1 < n; ++i) {
    const std::int64_t j = i + static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(n - i));
    auto& here = first[static_cast<std::size_t>(i)];
    if (j < count) {
      std::swap(here, first[static_cast<std::size_t>(j)]);
    } else {
      std::swap(here, moved.try_emplace(j, j).first->second);
    }
  }
  return first;
}

}  // namespace quasar::cluster
