// Pairs of hashes against the definition, on any number of ranks.
#include "cluster/hamming_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "base/errors.h"
#include "base/random.h"
#include "cluster/equal_hashes.h"

namespace quasar::cluster {
namespace {

using Pair = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;

HashBits random_bits(base::Random& random) {
  HashBits bits{};
  for (auto& part : bits)
    part = random.below(1U << 16U) | random.below(1U << 16U) << 16U | random.below(1U << 16U) << 32U |
           random.below(1U << 16U) << 48U;
  return bits;
}

HashBits with_flips(HashBits bits, std::size_t flips, base::Random& random) {
  for (std::size_t i = 0; i < flips; ++i) {
    const auto bit = random.below(256);
    bits[bit / 64] ^= std::uint64_t{1} << (bit % 64);
  }
  return bits;
}

/// Random hashes, and copies of some with few bits flipped.
std::vector<HashedRow> planted(std::size_t count, std::uint64_t seed, std::size_t most_flips = 40) {
  base::Random random(seed);
  std::vector<HashedRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool copy = i > 0 && random.below(3) == 0;
    rows[i] = {
        copy ? with_flips(rows[random.below(i)].bits, random.below(most_flips), random) : random_bits(random),
        i};
  }
  return rows;
}

/// The part of a rank, in chunks of odd size.
HashSource source_of(const std::vector<HashedRow>& rows, const comm::Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  const std::vector<HashedRow> mine(
      rows.begin() + static_cast<std::ptrdiff_t>(rows.size() * rank / ranks),
      rows.begin() + static_cast<std::ptrdiff_t>(rows.size() * (rank + 1) / ranks));
  return [mine]() -> HashStream {
    auto at = std::make_shared<std::size_t>(0);
    return [mine, at](std::vector<HashedRow>& chunk, std::size_t most) {
      chunk.clear();
      for (; *at < mine.size() && chunk.size() < std::min<std::size_t>(most, 777); ++*at)
        chunk.push_back(mine[*at]);
    };
  };
}

std::vector<Pair> by_definition(const std::vector<HashedRow>& probes, const std::vector<HashedRow>& homes,
                                unsigned threshold, bool one_set) {
  std::vector<Pair> pairs;
  for (const auto& probe : probes) {
    for (const auto& home : homes) {
      if (one_set && probe.number >= home.number) continue;
      const unsigned distance = hamming_distance(probe.bits, home.bits);
      if (distance <= threshold) pairs.emplace_back(probe.number, home.number, distance);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

/// What all ranks find together.
std::vector<Pair> found(const std::vector<HashedRow>& probes, const std::vector<HashedRow>& homes,
                        unsigned threshold, bool one_set, std::uint64_t memory = std::uint64_t{1} << 30U,
                        NearSearchStatistics* statistics = nullptr, double few = 0) {
  const auto world = comm::Communicator::world();
  ThreadTeam team(2);
  const NearSearch search{.probes = source_of(probes, world),
                          .homes = source_of(homes, world),
                          .threshold = threshold,
                          .one_set = one_set,
                          .memory = memory,
                          .few_pairs = few};
  std::vector<std::uint64_t> mine;
  const auto did = find_near(search, team, world, [&](std::span<const NearPair> pairs) {
    for (const auto& pair : pairs) mine.insert(mine.end(), {pair.probe, pair.home, pair.distance});
  });
  if (statistics != nullptr) *statistics = did;
  const std::vector<std::vector<std::uint64_t>> to_all(static_cast<std::size_t>(world.size()), mine);
  std::vector<Pair> all;
  for (const auto& part : world.exchange(to_all)) {
    for (std::size_t i = 0; i < part.size(); i += 3) all.emplace_back(part[i], part[i + 1], part[i + 2]);
  }
  std::sort(all.begin(), all.end());
  return all;
}

TEST(HammingPairs, AreAllThatThereAreOnceEach) {
  const auto rows = planted(3000, 1);
  for (const unsigned threshold : {0U, 15U, 31U, 40U}) {
    const auto expected = by_definition(rows, rows, threshold, true);
    EXPECT_GT(expected.size(), threshold > 0 ? 20U : 0U);
    EXPECT_EQ(found(rows, rows, threshold, true), expected) << threshold;
  }
}

/// By looking at each pair.
std::vector<Pair> looked_at(const std::vector<HashedRow>& probes, const std::vector<HashedRow>& homes,
                            bool one_set) {
  return found(probes, homes, 31, one_set, 0, nullptr, 1e9);
}

TEST(HammingPairs, OfFewRowsAreLookedAtOneByOne) {
  const auto rows = planted(2000, 11);
  EXPECT_EQ(looked_at(rows, rows, true), by_definition(rows, rows, 31, true));
  const std::vector<HashedRow> some(rows.begin(), rows.begin() + 100);
  EXPECT_EQ(looked_at(some, rows, false), by_definition(some, rows, 31, false));
  EXPECT_EQ(looked_at(rows, some, false), by_definition(rows, some, 31, false));
  EXPECT_TRUE(looked_at({}, rows, false).empty());
}

TEST(HammingPairs, OfTwoSets) {
  auto probes = planted(900, 2);
  const auto rest = planted(1500, 2);
  const std::vector<HashedRow> homes(rest.begin() + 300, rest.end());
  EXPECT_EQ(found(probes, homes, 31, false), by_definition(probes, homes, 31, false));
  EXPECT_TRUE(found({}, homes, 31, false).empty());
  EXPECT_TRUE(found(probes, {}, 31, false).empty());
}

TEST(HammingPairs, WithLittleMemoryInManyPasses) {
  const auto rows = planted(12000, 3);
  NearSearchStatistics ample;
  NearSearchStatistics tight;
  const auto expected = found(rows, rows, 31, true, std::uint64_t{1} << 30U, &ample);
  EXPECT_EQ(found(rows, rows, 31, true, 0, &tight), expected);
  EXPECT_EQ(ample.passes, 16U);
  if (comm::Communicator::world().size() == 1) {
    EXPECT_GT(tight.passes, 16U * 2);
  }
  EXPECT_GT(expected.size(), 2000U);
}

TEST(HammingPairs, WhereAllRowsShareAWord) {
  auto rows = planted(5000, 4);
  for (auto& row : rows) {
    row.bits[0] = (row.bits[0] & ~std::uint64_t{0xFFFF}) | 0x1234;
    row.bits[3] = row.bits[3] << 32U >> 32U;  // Two words of zeros.
  }
  EXPECT_EQ(found(rows, rows, 31, true), by_definition(rows, rows, 31, true));
  EXPECT_EQ(found(rows, rows, 31, true, 0), by_definition(rows, rows, 31, true));
}

TEST(HammingPairs, WhereAllRowsAreEqual) {
  base::Random random(5);
  std::vector<HashedRow> rows(400);
  const auto bits = random_bits(random);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {bits, i};
  EXPECT_EQ(found(rows, rows, 31, true).size(), rows.size() * (rows.size() - 1) / 2);
}

TEST(HammingPairs, AtTheBorderOfWhatPigeonholesPromise) {
  // Distance 31 with two bits in all words but one, and 32 with two in each.
  base::Random random(6);
  const auto bits = random_bits(random);
  auto near = bits;
  for (unsigned word = 0; word < 16; ++word)
    near[word / 4] ^= std::uint64_t{word == 9 ? 1U : 3U} << (16 * (word % 4) + word % 3);
  auto far = bits;
  for (unsigned word = 0; word < 16; ++word) far[word / 4] ^= std::uint64_t{3} << (16 * (word % 4));
  const std::vector<HashedRow> rows = {{bits, 0}, {near, 1}, {far, 2}};
  const auto pairs = found(rows, rows, 31, true);
  EXPECT_EQ(pairs, by_definition(rows, rows, 31, true));
  EXPECT_TRUE(std::find(pairs.begin(), pairs.end(), Pair(0, 1, 31)) != pairs.end());
}

TEST(HammingPairs, ARowMayHaveSeveralHashes) {
  auto rows = planted(600, 7);
  auto poses = rows;
  base::Random random(8);
  for (const auto& row : rows)
    poses.push_back({random.below(2) == 0 ? rows[random.below(600)].bits : random_bits(random), row.number});
  std::sort(poses.begin(), poses.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  EXPECT_EQ(found(poses, rows, 31, true), by_definition(poses, rows, 31, true));
}

TEST(HammingPairs, AnErrorOfASourceReachesEveryRank) {
  const auto world = comm::Communicator::world();
  ThreadTeam team(1);
  const auto broken = [&]() -> HashStream {
    return [&](std::vector<HashedRow>& chunk, std::size_t) {
      chunk.clear();
      if (world.rank() == world.size() - 1) base::fail(base::ExitCode::kInput, "gone");
    };
  };
  const NearSearch search{.probes = broken, .homes = broken};
  EXPECT_THROW(find_near(search, team, world, [](std::span<const NearPair>) {}), base::Error);
}

TEST(EqualHashes, GiveTheLowestNumber) {
  const auto world = comm::Communicator::world();
  auto rows = planted(20000, 9, 2);
  for (std::size_t i = 0; i < 5000; ++i) rows[3 * i].bits = {1, 2, 3, 4};
  for (const std::uint64_t memory : {std::uint64_t{1} << 30U, std::uint64_t{0}}) {
    std::vector<std::uint64_t> mine;
    find_equal(source_of(rows, world), memory, world, [&](std::uint64_t number, std::uint64_t lowest) {
      mine.insert(mine.end(), {number, lowest});
    });
    const std::vector<std::vector<std::uint64_t>> to_all(static_cast<std::size_t>(world.size()), mine);
    std::vector<std::uint64_t> lowest(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) lowest[i] = i;
    for (const auto& part : world.exchange(to_all)) {
      for (std::size_t i = 0; i < part.size(); i += 2) lowest[part[i]] = part[i + 1];
    }
    std::map<HashBits, std::uint64_t> first;
    for (const auto& row : rows) {
      const auto expected = first.emplace(row.bits, row.number).first->second;
      ASSERT_EQ(lowest[row.number], expected);
    }
  }
}

}  // namespace
}  // namespace quasar::cluster
