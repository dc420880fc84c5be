#include "cluster/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include <faiss/utils/random.h>

namespace quasar::cluster {
namespace {

TEST(FaissPermutation, IsThatOfFaiss) {
  for (const std::int64_t n : {1, 2, 3, 100, 4097}) {
    for (const std::int64_t seed : {0, 1234, 99}) {
      std::vector<int> expected(static_cast<std::size_t>(n));
      faiss::rand_perm(expected.data(), static_cast<std::size_t>(n), seed);
      const auto actual = faiss_permutation(n, static_cast<std::uint64_t>(seed));
      EXPECT_TRUE(std::ranges::equal(actual, expected));
    }
  }
}

TEST(FaissPermutation, BeginsTheSameWhenOnlyTheBeginningIsAskedFor) {
  for (const std::int64_t n : {1, 2, 50, 5000}) {
    const auto whole = faiss_permutation(n, 7);
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, n / 3, n - 1, n}) {
      const auto first = faiss_permutation(n, 7, count);
      EXPECT_TRUE(std::ranges::equal(first, std::span(whole).first(static_cast<std::size_t>(count))));
    }
  }
}

}  // namespace
}  // namespace quasar::cluster
