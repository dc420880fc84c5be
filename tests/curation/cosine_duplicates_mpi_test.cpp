// What goes as a copy by its embedding, against the definition and against SemDeDup's published lists, on any
// number of ranks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/random.h"
#include "cluster/cosine_pairs.h"
#include "curation/duplicates.h"
#include "curation/shared_folder.h"
#include "store/vector_file.h"

namespace quasar::curation {
namespace {

struct TestRow {
  std::string bytes_hash;
  std::uint64_t picture = 0;  ///< The low bits; the others tell rows of another number mod 64 apart.
  std::vector<float> vector;
};

constexpr std::size_t kDimension = 12;

/// Rows of which many are copies of others in one way or several.
std::vector<TestRow> make_rows(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  const auto uniform = [&] { return static_cast<float>(random.below(2001)) / 1000 - 1; };
  std::vector<TestRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& row = rows[i];
    row.bytes_hash = fmt::format("{:032x}", i);
    const auto fill = [&] {
      for (int part = 0; part < 4; ++part) row.picture = row.picture << 16U | random.below(1U << 16U);
      row.vector.clear();
      for (std::size_t j = 0; j < kDimension; ++j) row.vector.push_back(uniform());
    };
    fill();
    if (i == 0 || random.below(3) == 0) continue;
    const auto& other = rows[random.below(2) == 0 ? random.below(i) : i - 1];
    const auto kind = random.below(4);
    if (kind == 0) row = other;
    if (kind == 1) row.picture = other.picture ^ std::uint64_t{1} << random.below(64);
    if (kind >= 2) {
      const float noise = static_cast<float>(random.below(6)) / 10;
      row.vector = other.vector;
      for (auto& value : row.vector) value += noise * uniform();
    }
  }
  return rows;
}

std::string picture_of(const TestRow& row) {
  return fmt::format("{0:016x}{0:016x}{0:016x}{0:016x}", row.picture);
}

double cosine_of(std::span<const float> a, std::span<const float> b) {
  double product = 0;
  double first = 0;
  double second = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    product += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    first += static_cast<double>(a[j]) * static_cast<double>(a[j]);
    second += static_cast<double>(b[j]) * static_cast<double>(b[j]);
  }
  return product / std::sqrt(first * second);
}

struct Expected {
  std::optional<std::size_t> of;
  Likeness likeness = Likeness::kNone;
  double distance = 0;
};

/// The definition. `kept_only`: as greedy has it; else SemDeDup's, of what the others leave.
std::vector<Expected> by_definition(const std::vector<TestRow>& rows, const DuplicateRule& rule) {
  const bool greedy = rule.cosine_rule == CosineRule::kGreedy;
  std::vector<Expected> fates(rows.size());
  for (std::size_t b = 0; b < rows.size(); ++b) {
    std::optional<std::size_t> equal;
    for (std::size_t a = 0; a < b && !equal; ++a) {
      if (rule.exact && rows[a].bytes_hash == rows[b].bytes_hash) equal = a;
    }
    if (equal) {
      fates[b] = fates[*equal].of ? fates[*equal] : Expected{*equal, Likeness::kExact, 0};
      continue;
    }
    for (std::size_t a = 0; a < b && !fates[b].of; ++a) {
      if (fates[a].of) continue;
      const int bits = 4 * std::popcount(rows[a].picture ^ rows[b].picture);
      const double cosine = cosine_of(rows[a].vector, rows[b].vector);
      if (rule.perceptual && bits <= rule.threshold) {
        fates[b] = {a, Likeness::kPerceptual, static_cast<double>(bits)};
      } else if (rule.cosine && greedy && cosine >= rule.least_cosine) {
        fates[b] = {a, Likeness::kCosine, (1 - cosine) * 10000};
      }
    }
  }
  if (!rule.cosine || greedy) return fates;
  const auto before = fates;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    for (std::size_t a = 0; a < b && !before[b].of && !fates[b].of; ++a) {
      const double cosine = cosine_of(rows[a].vector, rows[b].vector);
      if (!before[a].of && cosine >= rule.least_cosine)
        fates[b] = {a, Likeness::kCosine, (1 - cosine) * 10000};
    }
  }
  // Rows of equal bytes share a fate.
  for (std::size_t b = 0; b < rows.size(); ++b) {
    for (std::size_t a = 0; a < b && rule.exact; ++a) {
      if (rows[a].bytes_hash != rows[b].bytes_hash) continue;
      if (fates[a].of) fates[b] = fates[a];
      break;
    }
  }
  return fates;
}

/// Fates of all rows, on every rank: which row each is like, in the order of the rows.
std::vector<Expected> solve(const std::vector<TestRow>& rows, const DuplicateRule& rule,
                            std::uint64_t memory = std::uint64_t{1} << 28U) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto rank = static_cast<std::size_t>(world.rank());
  const auto ranks = static_cast<std::size_t>(world.size());
  // Vectors lie in another order than rows.
  const auto place_of = [&](std::size_t row) { return rows.size() - 1 - row; };
  struct Vectors final : cluster::RowSource {
    const std::vector<TestRow>* rows = nullptr;
    std::vector<std::uint64_t> wanted;
    std::size_t dimension() const override { return rows->empty() ? 1 : rows->front().vector.size(); }
    std::int64_t size() const override { return static_cast<std::int64_t>(wanted.size()); }
    void read(std::int64_t first, std::int64_t count, std::span<float> values,
              std::span<std::int64_t> /*numbers*/) override {
      for (std::int64_t i = 0; i < count && !values.empty(); ++i) {
        const auto place = wanted[static_cast<std::size_t>(first + i)];
        std::ranges::copy((*rows)[rows->size() - 1 - place].vector,
                          values.begin() + i * static_cast<std::int64_t>(dimension()));
      }
    }
  };
  Duplicates duplicates(rule, folder.path(), memory, world, [&](std::vector<std::uint64_t> wanted) {
    EXPECT_TRUE(std::ranges::is_sorted(wanted));
    auto vectors = std::make_unique<Vectors>();
    vectors->rows = &rows;
    vectors->wanted = std::move(wanted);
    return vectors;
  });
  const auto begin_of = [&](std::size_t r) { return rows.size() * r * r / (ranks * ranks); };
  for (std::size_t i = begin_of(rank); i < begin_of(rank + 1); ++i) {
    const auto digits = picture_of(rows[i]);
    duplicates.add({rows[i].bytes_hash, digits, 100, place_of(i)}, std::to_string(i));
  }
  duplicates.solve({});
  std::string mine;
  for (std::size_t i = begin_of(rank); i < begin_of(rank + 1); ++i) {
    const auto fate = duplicates.next();
    mine += fmt::format("{} {} {} {}\n", static_cast<int>(fate.likeness), fate.of.empty() ? "-" : fate.of,
                        fate.distance, fate.group);
  }
  std::vector<Expected> fates;
  for (const auto& part : world.all_gather(mine)) {
    std::istringstream lines(part);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      int likeness = 0;
      std::string of;
      Expected fate;
      words >> likeness >> of >> fate.distance;
      fate.likeness = static_cast<Likeness>(likeness);
      if (of != "-") fate.of = std::stoull(of);
      fates.push_back(fate);
    }
  }
  return fates;
}

std::size_t check(const std::vector<TestRow>& rows, const DuplicateRule& rule,
                  std::uint64_t memory = std::uint64_t{1} << 28U) {
  const auto expected = by_definition(rows, rule);
  const auto found = solve(rows, rule, memory);
  EXPECT_EQ(found.size(), expected.size());
  std::size_t by_cosine = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    EXPECT_EQ(found[i].likeness, expected[i].likeness) << i;
    EXPECT_EQ(found[i].of, expected[i].of) << i;
    EXPECT_NEAR(found[i].distance, expected[i].distance, 0.51) << i;
    by_cosine += expected[i].likeness == Likeness::kCosine ? 1 : 0;
  }
  return by_cosine;
}

TEST(CosineDuplicates, GoWhenABetterKeptRowIsAlike) {
  const auto rows = make_rows(1500, 1);
  DuplicateRule rule;
  rule.cosine = true;
  rule.clusters = 1;
  EXPECT_GT(check(rows, rule), 300U);
  rule.exact = true;
  rule.perceptual = true;
  EXPECT_GT(check(rows, rule), 200U);
  EXPECT_GT(check(rows, rule, 0), 200U);
  EXPECT_EQ(check({}, rule), 0U);
}

TEST(CosineDuplicates, OverSeveralBlocksAndAllOfThem) {
  auto rows = make_rows(4000, 2);
  DuplicateRule rule;
  rule.cosine = true;
  rule.clusters = 1;
  EXPECT_GT(check(rows, rule), 900U);
  for (auto& row : rows) row.vector = rows.front().vector;
  EXPECT_EQ(check(rows, rule), rows.size() - 1);
}

TEST(CosineDuplicates, BySemDeDupGoForWhatIsGone) {
  const auto rows = make_rows(1500, 3);
  DuplicateRule rule;
  rule.cosine = true;
  rule.clusters = 1;
  const auto greedy = check(rows, rule);
  rule.cosine_rule = CosineRule::kSemDeDup;
  EXPECT_GT(check(rows, rule), greedy);
  rule.exact = true;
  rule.perceptual = true;
  EXPECT_GT(check(rows, rule), 200U);
}

TEST(CosineDuplicates, InClustersNoneIsInventedAndFewAreMissed) {
  const auto rows = make_rows(3000, 4);
  DuplicateRule rule;
  rule.cosine = true;
  rule.clusters = 6;
  const auto found = solve(rows, rule);
  const auto again = solve(rows, rule, 0);
  std::size_t gone = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].of, again[i].of) << i;
    if (!found[i].of) continue;
    ++gone;
    EXPECT_LT(*found[i].of, i);
    EXPECT_FALSE(found[*found[i].of].of) << "what stays is kept";
    EXPECT_GE(cosine_of(rows[i].vector, rows[*found[i].of].vector), rule.least_cosine - 1e-6);
  }
  rule.clusters = 1;
  EXPECT_GT(gone * 100, check(rows, rule) * 95);
}

class SemDeDupGolden : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = test::shared_data() / "golden/curation/semdedup";
    if (test::missing_data(folder)) GTEST_SKIP();
    golden_ = nlohmann::json::parse(base::read_file(folder / "semdedup.json"));
    const auto read = [](const std::filesystem::path& path) {
      const store::VectorFile file(path);
      std::vector<float> values(file.rows() * file.dimension());
      file.read(0, file.rows(), values);
      return values;
    };
    vectors_ = read(folder / "embeddings.npy");
    centroids_ = read(folder / "centroids.npy");
  }

  /// Rows [of the golden set] that are like an earlier one of the same cluster, when they are gone through in
  /// `order`, with all such pairs.
  std::set<std::pair<std::size_t, std::size_t>> pairs_in(const std::vector<std::size_t>& order,
                                                         double threshold, bool within_clusters) const {
    const SharedFolder folder;
    const auto world = comm::Communicator::world();
    std::vector<float> values;
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i % static_cast<std::size_t>(world.size()) != static_cast<std::size_t>(world.rank())) continue;
      const auto row = vectors_.begin() + static_cast<std::ptrdiff_t>(order[i] * 16);
      values.insert(values.end(), row, row + 16);
      numbers.push_back(static_cast<std::int64_t>(i));
    }
    cluster::MemoryRows rows({values, numbers, 16});
    cluster::CosinePairs search(rows,
                                {.threshold = threshold,
                                 .clusters_of_row = 1,
                                 .centroids = within_clusters ? centroids_ : std::vector<float>(16, 0),
                                 .folder = folder.path()},
                                world);
    cluster::ThreadTeam team(2);
    std::string found;
    const auto all = [](std::uint64_t) { return true; };
    search.find({all, all}, team, [&](std::span<const cluster::NearPair> pairs) {
      for (const auto& pair : pairs) found += fmt::format("{} {}\n", pair.probe, pair.home);
    });
    std::set<std::pair<std::size_t, std::size_t>> pairs;
    for (const auto& part : world.all_gather(found)) {
      std::istringstream words(part);
      for (std::size_t a = 0, b = 0; words >> a >> b;) pairs.emplace(order[a], order[b]);
    }
    return pairs;
  }

  nlohmann::json golden_;
  std::vector<float> vectors_;
  std::vector<float> centroids_;
};

TEST_F(SemDeDupGolden, KeepsWhatThePublishedCodeKeeps) {
  for (const auto& run : golden_["runs"]) {
    std::vector<std::size_t> order;
    for (const auto& cluster : run["cluster_order"]) {
      for (const std::size_t row : cluster) order.push_back(row);
    }
    ASSERT_EQ(order.size(), golden_["n"]);
    std::set<std::size_t> kept(order.begin(), order.end());
    for (const auto& [earlier, row] : pairs_in(order, 1 - run["eps"].get<double>(), true)) kept.erase(row);
    EXPECT_EQ(kept, run["kept"].get<std::set<std::size_t>>()) << run["eps"] << run["which_to_keep"];
  }
}

TEST_F(SemDeDupGolden, GreedyBestFirstAgreesWithItsOracle) {
  const auto scores = golden_["own_oracle_score"].get<std::vector<double>>();
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  for (const auto& run : golden_["own_oracle"]) {
    const double eps = run["eps"];
    const bool within = run["within_clusters_only"];
    const auto kept = run["greedy_best_first_kept"].get<std::set<std::size_t>>();
    const auto representatives = run["representative_of_row"].get<std::vector<std::size_t>>();
    if (within) {
      // Every row of the list of those that go has its representative among its pairs, and no kept row a kept
      // neighbour.
      const auto pairs = pairs_in(order, 1 - eps, true);
      for (std::size_t row = 0; row < scores.size(); ++row) {
        if (!kept.contains(row)) {
          EXPECT_TRUE(pairs.contains({representatives[row], row})) << row;
        }
      }
      for (const auto& [better, worse] : pairs) EXPECT_FALSE(kept.contains(better) && kept.contains(worse));
      continue;
    }
    std::vector<TestRow> rows;
    for (const std::size_t row : order)
      rows.push_back({"",
                      0,
                      {vectors_.begin() + static_cast<std::ptrdiff_t>(row * 16),
                       vectors_.begin() + static_cast<std::ptrdiff_t>((row + 1) * 16)}});
    DuplicateRule rule;
    rule.cosine = true;
    rule.clusters = 1;
    rule.least_cosine = 1 - eps;
    const auto found = solve(rows, rule);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(!found[i].of, kept.contains(order[i])) << order[i];
      EXPECT_EQ(found[i].of ? order[*found[i].of] : order[i], representatives[order[i]]) << order[i];
    }
  }
}

}  // namespace
}  // namespace quasar::curation
