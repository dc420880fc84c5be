// Pairs of rows of nearly the same direction, against every pair, and SemDeDup's published lists.
#include "cluster/cosine_pairs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/errors.h"
#include "base/random.h"
#include "cluster/kmeans.h"
#include "cluster/row_kernels.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

class Folder {
 public:
  Folder() {
    const auto world = comm::Communicator::world();
    std::string path = world.is_root() ? (scratch_ / "x").parent_path().string() : "";
    world.broadcast(path);
    path_ = path;
  }
  ~Folder() { comm::Communicator::world().barrier(); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  test::ScratchFolder scratch_;
  std::filesystem::path path_;
};

/// Random directions, of which many are near an earlier one, of any length.
std::vector<float> make_rows(std::size_t n, std::size_t d, std::uint64_t seed) {
  base::Random random(seed);
  const auto uniform = [&] { return static_cast<float>(random.below(2001)) / 1000 - 1; };
  std::vector<float> rows(n * d);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t other = i == 0 || random.below(2) == 0 ? n : random.below(i);
    const float noise = static_cast<float>(random.below(8)) / 10;
    const float scale = static_cast<float>(1 + random.below(5));
    for (std::size_t j = 0; j < d; ++j)
      rows[i * d + j] = (other == n ? uniform() : rows[other * d + j] + noise * uniform()) * scale;
  }
  return rows;
}

std::vector<float> unit(std::vector<float> rows, std::size_t d) {
  for (std::size_t at = 0; at < rows.size(); at += d) {
    double square = 0;
    for (std::size_t j = 0; j < d; ++j)
      square += static_cast<double>(rows[at + j]) * static_cast<double>(rows[at + j]);
    for (std::size_t j = 0; j < d; ++j)
      rows[at + j] = static_cast<float>(static_cast<double>(rows[at + j]) * (1 / std::sqrt(square)));
  }
  return rows;
}

/// The rows of this rank: every ranks-th from the back, so that numbers are in no order.
struct Share {
  std::vector<float> values;
  std::vector<std::int64_t> numbers;
};
Share share_of(std::span<const float> rows, std::size_t d) {
  const auto world = comm::Communicator::world();
  Share share;
  const std::size_t n = rows.size() / d;
  for (std::size_t i = n; i-- > 0;) {
    if (i % static_cast<std::size_t>(world.size()) != static_cast<std::size_t>(world.rank())) continue;
    share.values.insert(share.values.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * d),
                        rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
    share.numbers.push_back(static_cast<std::int64_t>(i));
  }
  return share;
}

using Pairs = std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t>;

/// Pairs on all ranks.
Pairs joined(const Pairs& pairs) {
  const auto world = comm::Communicator::world();
  std::vector<std::vector<NearPair>> parts(static_cast<std::size_t>(world.size()));
  for (auto& part : parts) {
    for (const auto& [pair, distance] : pairs) part.push_back({pair.first, pair.second, distance});
  }
  Pairs all;
  for (const auto& part : world.exchange(parts)) {
    for (const auto& pair : part) all[{pair.probe, pair.home}] = pair.distance;
  }
  return all;
}

Pairs find(std::span<const float> rows, std::size_t d, const CosineSettings& settings,
           const CosinePairs::Wanted& wanted) {
  const auto world = comm::Communicator::world();
  const auto share = share_of(rows, d);
  MemoryRows source({share.values, share.numbers, d});
  CosinePairs search(source, settings, world);
  ThreadTeam team(2);
  Pairs pairs;
  search.find(wanted, team, [&](std::span<const NearPair> found) {
    for (const auto& pair : found) {
      EXPECT_LT(pair.probe, pair.home);
      pairs[{pair.probe, pair.home}] = pair.distance;
    }
  });
  return joined(pairs);
}

bool all_of_them(std::uint64_t /*number*/) {
  return true;
}

/// Every pair within the threshold that `may` be looked for.
Pairs by_definition(std::span<const float> rows, std::size_t d, double threshold,
                    const std::function<bool(std::size_t, std::size_t)>& may) {
  const auto units = unit({rows.begin(), rows.end()}, d);
  Pairs pairs;
  for (std::size_t a = 0; a < rows.size() / d; ++a) {
    for (std::size_t b = a + 1; b < rows.size() / d; ++b) {
      const float distance = kernels::squared_distance(units.data() + a * d, units.data() + b * d, d);
      if (distance <= static_cast<float>(2 * (1 - threshold)) && may(a, b))
        pairs[{a, b}] =
            static_cast<std::uint64_t>(std::llround(static_cast<double>(distance) / 2 * kCosineUnits));
    }
  }
  return pairs;
}

TEST(CosinePairs, OfOneClusterAreAllThatThereAre) {
  for (const std::size_t d : {3, 16, 77}) {
    const Folder folder;
    const auto rows = make_rows(1500, d, d);
    const auto wanted = by_definition(rows, d, 0.95, [](std::size_t, std::size_t) { return true; });
    EXPECT_GT(wanted.size(), 500U);
    for (const std::uint64_t memory : {std::uint64_t{0}, std::uint64_t{1} << 28U}) {
      const CosineSettings settings{.threshold = 0.95, .folder = folder.path(), .memory = memory};
      EXPECT_EQ(find(rows, d, settings, {all_of_them, all_of_them}), wanted);
    }
  }
}

TEST(CosinePairs, OfSeveralClustersAreThoseOfACommonOne) {
  const Folder folder;
  constexpr std::size_t kDimension = 8;
  const auto rows = make_rows(2000, kDimension, 5);
  const auto units = unit(rows, kDimension);
  std::vector<float> centroids = make_rows(9, kDimension, 6);
  const auto nearest_two = [&](std::size_t row) {
    std::vector<std::pair<float, int>> found;
    for (int c = 0; c < 9; ++c)
      found.emplace_back(
          kernels::squared_distance(units.data() + row * kDimension,
                                    centroids.data() + static_cast<std::size_t>(c) * kDimension, kDimension),
          c);
    std::ranges::sort(found);
    return std::set<int>{found[0].second, found[1].second};
  };
  const auto wanted = by_definition(rows, kDimension, 0.9, [&](std::size_t a, std::size_t b) {
    const auto of_a = nearest_two(a);
    return std::ranges::any_of(nearest_two(b), [&](int c) { return of_a.contains(c); });
  });
  const auto all = by_definition(rows, kDimension, 0.9, [](std::size_t, std::size_t) { return true; });
  EXPECT_GT(wanted.size(), 500U);
  EXPECT_LE(wanted.size(), all.size());
  const CosineSettings settings{
      .threshold = 0.9, .centroids = centroids, .folder = folder.path(), .memory = 1U << 20U};
  EXPECT_EQ(find(rows, kDimension, settings, {all_of_them, all_of_them}), wanted);
  // Clusters of k-means leave few pairs apart.
  const CosineSettings own{.threshold = 0.9, .clusters = 7, .folder = folder.path(), .memory = 1U << 20U};
  const auto found = find(rows, kDimension, own, {all_of_them, all_of_them});
  EXPECT_GT(found.size() * 10, all.size() * 9);
  for (const auto& [pair, distance] : found) {
    ASSERT_TRUE(all.contains(pair));
    EXPECT_EQ(distance, all.at(pair));
  }
}

TEST(CosinePairs, OnlyOfWantedRowsAndTheBest) {
  const Folder folder;
  constexpr std::size_t kDimension = 4;
  const auto rows = make_rows(1200, kDimension, 7);
  const CosineSettings settings{.threshold = 0.8, .folder = folder.path(), .memory = 1U << 28U};
  const auto probe = [](std::uint64_t number) { return number < 900 && number % 3 != 0; };
  const auto home = [](std::uint64_t number) { return number >= 300 && number % 2 == 0; };
  const auto wanted =
      by_definition(rows, kDimension, 0.8, [&](std::size_t a, std::size_t b) { return probe(a) && home(b); });
  EXPECT_GT(wanted.size(), 100U);
  EXPECT_EQ(find(rows, kDimension, settings, {probe, home}), wanted);
  std::map<std::uint64_t, std::uint64_t> best;
  for (const auto& [pair, distance] : wanted) best.emplace(pair.second, pair.first);
  std::map<std::uint64_t, std::uint64_t> found;
  for (const auto& [pair, distance] : find(rows, kDimension, settings, {probe, home, true})) {
    EXPECT_TRUE(wanted.contains(pair));
    const auto [at, added] = found.emplace(pair.second, pair.first);
    if (!added) at->second = std::min(at->second, pair.first);
  }
  EXPECT_EQ(found, best);
}

TEST(CosinePairs, RowsWithoutDirectionAreInNoneAndCounted) {
  const Folder folder;
  const auto world = comm::Communicator::world();
  std::vector<float> rows(40 * 4, 1.0F);
  std::fill_n(rows.begin() + 4, 4, 0.0F);
  rows[8] = std::nanf("");
  rows[12] = std::numeric_limits<float>::infinity();
  for (const bool none : {false, true}) {
    if (none) std::ranges::fill(rows, 0.0F);
    const auto share = share_of(rows, 4);
    MemoryRows source({share.values, share.numbers, 4});
    CosinePairs search(source, {.folder = folder.path()}, world);
    EXPECT_EQ(search.without_direction(), none ? 40U : 3U);
    ThreadTeam team(1);
    std::set<std::uint64_t> seen;
    search.find({all_of_them, all_of_them}, team, [&](std::span<const NearPair> found) {
      for (const auto& pair : found) seen.insert({pair.probe, pair.home});
    });
    EXPECT_FALSE(seen.contains(1) || seen.contains(2) || seen.contains(3));
    const auto pairs = world.all_reduce(static_cast<std::int64_t>(seen.size()), comm::Reduction::kSum);
    EXPECT_EQ(pairs > 0, !none);
  }
}

TEST(CosinePairs, StopsWhenAsked) {
  const Folder folder;
  const auto rows = make_rows(100, 4, 1);
  const auto share = share_of(rows, 4);
  MemoryRows source({share.values, share.numbers, 4});
  try {
    const CosinePairs search(source, {.folder = folder.path()}, comm::Communicator::world(),
                             [] { return true; });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInterrupted);
  }
}

}  // namespace
}  // namespace quasar::cluster
