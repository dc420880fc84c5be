// What goes as a copy by its embedding, against the definition and against SemDeDup's published lists, on any
// number of ranks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "cluster/cosine_pairs.h"
#include "corpus/plan.h"
#include "curation/duplicates.h"
#include "curation/outside_rows.h"
#include "curation/shared_folder.h"
#include "store/embedding_shard.h"
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

struct OutsideFate {
  bool outside = false;
  std::string of;
  unsigned distance = 0;

  bool operator==(const OutsideFate&) const = default;
};

/// What is like rows of other sets goes, and the nearest of those is named; the others by the definition.
std::vector<OutsideFate> by_definition(const std::vector<TestRow>& outside, const std::vector<TestRow>& rows,
                                       const DuplicateRule& rule) {
  const auto distance_of = [](const TestRow& a, const TestRow& b) {
    return static_cast<unsigned>(std::lround((1 - cosine_of(a.vector, b.vector)) * cluster::kCosineUnits));
  };
  std::vector<OutsideFate> fates(rows.size());
  std::vector<TestRow> left;
  std::vector<std::size_t> place_of_left;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::optional<std::pair<unsigned, std::size_t>> nearest;
    for (std::size_t o = 0; o < outside.size(); ++o) {
      if (cosine_of(outside[o].vector, rows[i].vector) < rule.least_cosine) continue;
      const std::pair found(distance_of(outside[o], rows[i]), o);
      nearest = nearest ? std::min(*nearest, found) : found;
    }
    if (nearest) {
      fates[i] = {true, "other-" + std::to_string(nearest->second), nearest->first};
    } else {
      left.push_back(rows[i]);
      place_of_left.push_back(i);
    }
  }
  const auto others = by_definition(left, rule);
  for (std::size_t l = 0; l < left.size(); ++l) {
    if (!others[l].of) continue;
    fates[place_of_left[l]] = {false, std::to_string(place_of_left[*others[l].of]),
                               distance_of(left[*others[l].of], left[l])};
  }
  return fates;
}

/// Fates of this rank's rows, which are those of the places `begin_of` says.
std::vector<OutsideFate> solve(const std::vector<TestRow>& outside, const std::vector<TestRow>& rows,
                               const DuplicateRule& rule, std::uint64_t memory,
                               const std::filesystem::path& folder, const comm::Communicator& comm) {
  base::make_directories(folder);
  comm.barrier();
  const auto rank = static_cast<std::size_t>(comm.rank());
  const auto ranks = static_cast<std::size_t>(comm.size());
  auto all = outside;
  all.insert(all.end(), rows.begin(), rows.end());
  Duplicates duplicates(rule, folder, memory, comm, [&](std::vector<std::uint64_t> wanted) {
    std::vector<float> values;
    std::vector<std::int64_t> numbers;
    for (const auto number : wanted) {
      values.insert(values.end(), all[number].vector.begin(), all[number].vector.end());
      numbers.push_back(static_cast<std::int64_t>(number));
    }
    struct Owned final : cluster::RowSource {
      std::vector<float> values;
      std::vector<std::int64_t> numbers;
      std::size_t dimension() const override { return kDimension; }
      std::int64_t size() const override { return static_cast<std::int64_t>(numbers.size()); }
      void read(std::int64_t first, std::int64_t count, std::span<float> out,
                std::span<std::int64_t> out_numbers) override {
        cluster::MemoryRows({values, numbers, kDimension}).read(first, count, out, out_numbers);
      }
    };
    auto owned = std::make_unique<Owned>();
    owned->values = std::move(values);
    owned->numbers = std::move(numbers);
    return owned;
  });
  for (std::size_t o = outside.size() * rank / ranks; o < outside.size() * (rank + 1) / ranks; ++o)
    duplicates.add_outside(o % 3, {outside[o].bytes_hash, {}, -1, o}, "other-" + std::to_string(o));
  const std::size_t begin = rows.size() * rank / ranks;
  const std::size_t end = rows.size() * (rank + 1) / ranks;
  for (std::size_t i = begin; i < end; ++i)
    duplicates.add({rows[i].bytes_hash, {}, -1, outside.size() + i}, std::to_string(i));
  duplicates.solve({});
  std::vector<OutsideFate> fates;
  for (std::size_t i = begin; i < end; ++i) {
    const auto fate = duplicates.next();
    fates.push_back({fate.outside, std::string(fate.of), fate.distance});
    EXPECT_EQ(fate.likeness, fate.of.empty() ? Likeness::kNone : Likeness::kCosine);
    if (fate.outside) {
      EXPECT_EQ(fate.set, std::stoul(std::string(fate.of.substr(6))) % 3);
    }
  }
  return fates;
}

/// Compares what this rank finds with the definition, and with what one rank finds; how many of all rows go
/// for rows of other sets.
std::size_t check_against(const std::vector<TestRow>& outside, const std::vector<TestRow>& rows,
                          const DuplicateRule& rule, std::uint64_t memory = std::uint64_t{1} << 28U) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto rank = static_cast<std::size_t>(world.rank());
  const std::size_t begin = rows.size() * rank / static_cast<std::size_t>(world.size());
  const auto found = solve(outside, rows, rule, memory, folder.path() / "all", world);
  const auto alone =
      solve(outside, rows, rule, memory, folder.path() / std::to_string(rank), comm::Communicator::self());
  const auto expected = by_definition(outside, rows, rule);
  for (std::size_t i = begin; i < begin + found.size(); ++i) {
    const auto& fate = found[i - begin];
    EXPECT_EQ(fate, alone[i]) << i;
    EXPECT_EQ(fate.outside, expected[i].outside) << i;
    // Rounded from another sum, which may lie on the other side of a half.
    EXPECT_NEAR(fate.distance, expected[i].distance, 1) << i;
    if (fate.of == expected[i].of || !fate.outside) {
      EXPECT_EQ(fate.of, expected[i].of) << i;
      continue;
    }
    const auto& named = outside[std::stoul(fate.of.substr(6))];
    EXPECT_NEAR((1 - cosine_of(named.vector, rows[i].vector)) * cluster::kCosineUnits, expected[i].distance,
                1.5)
        << i;
  }
  return static_cast<std::size_t>(std::ranges::count(expected, true, &OutsideFate::outside));
}

TEST(CosineDuplicates, OfOtherSetsTheNearestIsNamed) {
  const auto made = make_rows(2000, 5);
  // Every other one, so that many are like some of the other set.
  std::vector<TestRow> outside;
  std::vector<TestRow> rows;
  for (std::size_t i = 0; i < made.size(); ++i) (i % 4 == 1 ? outside : rows).push_back(made[i]);
  DuplicateRule rule;
  rule.cosine = true;
  rule.clusters = 1;
  EXPECT_GT(check_against(outside, rows, rule), 150U);
  EXPECT_GT(check_against(outside, rows, rule, 0), 150U);
  rule.cosine_rule = CosineRule::kSemDeDup;
  EXPECT_GT(check_against(outside, rows, rule), 150U);
  EXPECT_EQ(check_against({}, rows, rule), 0U);
  EXPECT_EQ(check_against(outside, {}, rule), 0U);
}

/// A run of so many rows a shard, as it lies on disk.
void write_run(const std::filesystem::path& run, const std::vector<std::vector<float>>& vectors,
               const std::string& weights) {
  comm::Communicator::world().on_root([&] {
    std::vector<corpus::Item> items(vectors.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].id = run.filename().string() + std::to_string(i);
      items[i].source = "/pictures/" + items[i].id;
    }
    const auto plan = corpus::Plan::from_items(items, 4);
    plan.save(run);
    const store::DataSetLayout files(run);
    base::make_directories(files.embeddings());
    for (const auto& shard : plan.shards()) {
      store::ShardHeader header;
      header.encoder = {"content", weights, "none", "float32"};
      header.items_sha256 = shard.sha256;
      header.shard = shard.id;
      header.dimension = static_cast<int>(vectors.front().size());
      std::vector<store::RowRecord> records(shard.count);
      std::vector<float> values;
      for (std::size_t i = 0; i < shard.count; ++i) {
        records[i].id = items[shard.first + i].id;
        const auto& vector = vectors[shard.first + i];
        records[i].status = std::isfinite(vector[0]) ? base::RowStatus::kOk : base::RowStatus::kMissing;
        values.insert(values.end(), vector.begin(), vector.end());
      }
      store::write_embedding_shard(files.shard(shard.id), header, records, values);
    }
  });
}

RankInput input_of(const std::filesystem::path& run) {
  RankInput input{store::DataSetLayout(run), store::RunLayout(run), {}, {}};
  const auto plan = corpus::Plan::load(run);
  for (const auto& shard : plan.shards()) {
    input.shards.push_back(shard.id);
    input.shard_first.push_back(shard.first);
  }
  return input;
}

TEST(OutsideSets, EmbeddingsOfAllSetsAndOfTheRunAreReadByTheirNumbers) {
  const SharedFolder folder;
  const float none = std::numeric_limits<float>::quiet_NaN();
  const auto vectors_from = [&](int first, int count) {
    std::vector<std::vector<float>> vectors;
    for (int i = 0; i < count; ++i) vectors.push_back({static_cast<float>(first + i), 1, 2});
    return vectors;
  };
  auto second = vectors_from(200, 9);
  second[5] = {none, none, none};
  write_run(folder.path() / "a", vectors_from(100, 6), "w");
  write_run(folder.path() / "b", second, "w");
  write_run(folder.path() / "own", vectors_from(300, 5), "w");
  DuplicateRule rule;
  rule.cosine = true;
  rule.against = {folder.path() / "a", folder.path() / "b"};
  const OutsideSets sets(rule);
  EXPECT_EQ(sets.vectors(), 15U);
  const base::EncoderIdentity encoder{"content", "w", "none", "float32"};
  const auto own = input_of(folder.path() / "own");
  std::vector<std::string> names;
  std::vector<std::uint64_t> numbers;
  sets.for_each(comm::Communicator::self(), encoder,
                [&](std::size_t set, const Fingerprint& print, std::string_view name) {
                  EXPECT_EQ(name.front(), set == 0 ? 'a' : 'b');
                  names.emplace_back(name);
                  numbers.push_back(print.vector);
                });
  ASSERT_EQ(names.size(), 14U) << "one has no embedding";
  EXPECT_EQ(names[11], "b6");
  EXPECT_EQ(numbers[11], 12U);
  const auto rows = sets.open_vectors(own, {1, 5, 6, 12, 15, 19});
  std::vector<float> values(6 * 3);
  std::vector<std::int64_t> read(6);
  rows->read(0, 6, values, read);
  EXPECT_EQ(read, (std::vector<std::int64_t>{1, 5, 6, 12, 15, 19}));
  EXPECT_EQ(values[0], 101);
  EXPECT_EQ(values[3], 105);
  EXPECT_EQ(values[6], 200);
  EXPECT_EQ(values[9], 206);
  EXPECT_EQ(values[12], 300);
  EXPECT_EQ(values[15], 304);
  std::vector<float> part(3 * 3);
  rows->read(2, 3, part, {});
  EXPECT_EQ(part[0], 200);
  EXPECT_EQ(part[6], 300);
  EXPECT_EQ(sets.open_vectors(own, {})->dimension(), 3U);
}

TEST(OutsideSets, OfAnotherEncoderAreRefusedNamingBoth) {
  const SharedFolder folder;
  write_run(folder.path() / "a", {{1, 2, 3}}, "0123456789abcdef");
  DuplicateRule rule;
  rule.cosine = true;
  rule.against = {folder.path() / "a"};
  const auto read = [&] {
    OutsideSets(rule).for_each(comm::Communicator::self(), {"content", "fedcba9876543210", "none", "float32"},
                               [](std::size_t, const Fingerprint&, std::string_view) {});
  };
  try {
    read();
    FAIL() << "embeddings of two encoders were compared";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
    EXPECT_THAT(error.what(), testing::HasSubstr("0123456789ab"));
    EXPECT_THAT(error.what(), testing::HasSubstr("fedcba987654"));
    EXPECT_THAT(error.what(), testing::HasSubstr("curation.duplicates.against"));
  }
  rule.cosine = false;
  rule.exact = true;
  EXPECT_NO_THROW(read()) << "the same bytes are the same for every encoder";
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
