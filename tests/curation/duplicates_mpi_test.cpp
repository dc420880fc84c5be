// What goes as a copy against the definition, row by row, on any number of ranks.
#include "curation/duplicates.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <optional>

#include "base/errors.h"
#include "base/random.h"
#include "curation/outside_rows.h"
#include "curation/shared_folder.h"

namespace quasar::curation {
namespace {

using Bits = std::array<std::uint64_t, 4>;

struct TestRow {
  std::string bytes_hash;
  std::vector<Bits> poses;
  int quality = 100;
};

std::string hex(const Bits& bits) {
  return fmt::format("{:016x}{:016x}{:016x}{:016x}", bits[3], bits[2], bits[1], bits[0]);
}

std::string picture(const TestRow& row) {
  std::string digits;
  for (const auto& pose : row.poses) digits += hex(pose);
  return digits;
}

int distance(const Bits& a, const Bits& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += std::popcount(a[i] ^ b[i]);
  return bits;
}

Bits random_bits(base::Random& random) {
  Bits bits{};
  for (auto& part : bits) {
    for (int i = 0; i < 4; ++i) part = part << 16U | random.below(1U << 16U);
  }
  return bits;
}

/// Rows of which many are copies of others: chains, stars, equal ones, some of low quality.
std::vector<TestRow> make_rows(std::size_t count, std::uint64_t seed, std::size_t poses = 1) {
  base::Random random(seed);
  std::vector<TestRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& row = rows[i];
    row.bytes_hash = fmt::format("{:032x}", i);
    const auto kind = i == 0 ? 0 : random.below(6);
    if (kind <= 1) {
      for (std::size_t pose = 0; pose < poses; ++pose) row.poses.push_back(random_bits(random));
    } else {
      const auto& other = rows[random.below(2) == 0 ? random.below(i) : i - 1];
      row = other;
      row.bytes_hash = fmt::format("{:032x}", i);
      if (kind == 2) row.bytes_hash = other.bytes_hash;
      if (kind >= 4) {
        for (std::size_t flip = random.below(40); flip > 0; --flip) {
          const auto bit = random.below(256);
          // As rows of equal hashes are alike in every pose.
          for (auto& pose : row.poses) pose[bit / 64] ^= std::uint64_t{1} << (bit % 64);
        }
      }
      // A copy that is turned.
      if (kind == 5 && poses > 1) std::swap(row.poses[0], row.poses[1 + random.below(poses - 1)]);
    }
    if (kind != 2) row.quality = random.below(12) == 0 ? 49 : 50;
  }
  return rows;
}

struct Expected {
  std::optional<std::size_t> of;  ///< Among outside rows, then the rows.
  Likeness likeness = Likeness::kNone;
  int distance = 0;
};

/// The definition: best first, a row goes when a better kept one is like it. Rows of equal bytes are one
/// picture, as are those of equal hashes.
std::vector<Expected> by_definition(const std::vector<TestRow>& outside, const std::vector<TestRow>& rows,
                                    const DuplicateRule& rule) {
  std::vector<TestRow> all = outside;
  all.insert(all.end(), rows.begin(), rows.end());
  std::vector<Expected> fates(all.size());
  const auto usable = [&](const TestRow& row) { return row.quality >= rule.quality && !row.poses.empty(); };
  for (std::size_t b = outside.size(); b < all.size(); ++b) {
    for (std::size_t a = 0; a < b && !fates[b].of; ++a) {
      if (rule.exact && all[a].bytes_hash == all[b].bytes_hash && !all[a].bytes_hash.empty()) {
        fates[b] = fates[a].of ? fates[a] : Expected{a, Likeness::kExact, 0};
      }
    }
    Expected nearest;
    bool nearest_equal = false;
    for (std::size_t a = 0; a < b && !fates[b].of; ++a) {
      if (a == outside.size() && nearest.of) break;
      if (!rule.perceptual || fates[a].of || !usable(all[a]) || !usable(all[b])) continue;
      int least = 256;
      // All poses of one side: of the better row, or where that is of another set, of the one here.
      const auto& posed = a < outside.size() ? all[b].poses : all[a].poses;
      const auto& upright = a < outside.size() ? all[a].poses[0] : all[b].poses[0];
      for (std::size_t pose = 0; pose < std::min(posed.size(), static_cast<std::size_t>(rule.poses)); ++pose)
        least = std::min(least, distance(posed[pose], upright));
      if (least > rule.threshold) continue;
      // Of other sets, whose rows all stay, the nearest.
      const bool equal = all[a].poses[0] == all[b].poses[0];
      if (!nearest.of || std::pair(!equal, least) < std::pair(!nearest_equal, nearest.distance)) {
        nearest = {a, Likeness::kPerceptual, least};
        nearest_equal = equal;
      }
      if (a >= outside.size()) fates[b] = nearest;
    }
    if (!fates[b].of) fates[b] = nearest;
  }
  return fates;
}

/// Adds what falls to this rank, solves, and compares.
std::uint64_t check(const std::vector<TestRow>& outside, const std::vector<TestRow>& rows,
                    const DuplicateRule& rule, std::uint64_t memory = std::uint64_t{1} << 28U) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto rank = static_cast<std::size_t>(world.rank());
  const auto ranks = static_cast<std::size_t>(world.size());
  Duplicates duplicates(rule, folder.path(), memory, world);
  for (std::size_t i = outside.size() * rank / ranks; i < outside.size() * (rank + 1) / ranks; ++i) {
    const auto digits = picture(outside[i]);
    duplicates.add_outside(i % 3, {outside[i].bytes_hash, digits, outside[i].quality},
                           "other-" + std::to_string(i));
  }
  // Parts of uneven size.
  const auto begin_of = [&](std::size_t r) { return rows.size() * r * r / (ranks * ranks); };
  for (std::size_t i = begin_of(rank); i < begin_of(rank + 1); ++i) {
    const auto digits = picture(rows[i]);
    duplicates.add({rows[i].bytes_hash, digits, rows[i].quality}, "row-" + std::to_string(i));
  }
  duplicates.solve({});
  const auto expected = by_definition(outside, rows, rule);
  std::vector<std::uint64_t> groups(expected.size(), 0);
  for (const auto& fate : expected) {
    if (fate.of) ++groups[*fate.of];
  }
  std::uint64_t gone = 0;
  for (std::size_t i = 0; i < begin_of(rank); ++i) gone += expected[outside.size() + i].of ? 1 : 0;
  EXPECT_EQ(duplicates.gone_before(), gone);
  gone = 0;
  for (std::size_t i = begin_of(rank); i < begin_of(rank + 1); ++i) {
    const auto fate = duplicates.next();
    const std::size_t place = outside.size() + i;
    const auto& wanted = expected[place];
    EXPECT_EQ(fate.likeness, wanted.likeness) << i;
    if (!wanted.of) {
      EXPECT_EQ(fate.group, groups[place] == 0 ? 0 : groups[place] + 1) << i;
      continue;
    }
    ++gone;
    const bool from_outside = *wanted.of < outside.size();
    EXPECT_EQ(fate.outside, from_outside) << i;
    EXPECT_EQ(fate.of, from_outside ? "other-" + std::to_string(*wanted.of)
                                    : "row-" + std::to_string(*wanted.of - outside.size()))
        << i;
    if (from_outside) {
      EXPECT_EQ(fate.set, *wanted.of % 3);
    }
    EXPECT_EQ(fate.distance, static_cast<unsigned>(wanted.distance)) << i;
    EXPECT_EQ(fate.group, groups[*wanted.of] + (from_outside ? 0 : 1)) << i;
  }
  return static_cast<std::uint64_t>(world.all_reduce(static_cast<std::int64_t>(gone), comm::Reduction::kSum));
}

DuplicateRule rule_of(bool exact, bool perceptual, int poses = 1) {
  DuplicateRule rule;
  rule.exact = exact;
  rule.perceptual = perceptual;
  rule.poses = poses;
  return rule;
}

TEST(Duplicates, GoWhenABetterKeptRowIsAlike) {
  const auto rows = make_rows(1500, 1);
  EXPECT_GT(check({}, rows, rule_of(true, true)), 300U);
  EXPECT_GT(check({}, rows, rule_of(false, true)), 300U);
  EXPECT_GT(check({}, rows, rule_of(true, false)), 100U);
}

TEST(Duplicates, OverSeveralBlocksAndWithLittleMemory) {
  const auto rows = make_rows(9000, 2);
  EXPECT_GT(check({}, rows, rule_of(true, true)), 2000U);
  EXPECT_GT(check({}, rows, rule_of(true, true), 0), 2000U);
}

TEST(Duplicates, WherePairsOfABlockAreMoreThanMemoryHolds) {
  // All within 30 bits of each other: half a million pairs in the first thousand rows. Some are alike to few,
  // so that not all go at once.
  base::Random random(12);
  const Bits middle = random_bits(random);
  std::vector<TestRow> rows(2600);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto bits = middle;
    for (std::size_t flip = i % 5 == 0 ? 25 : 15; flip > 0; --flip) {
      const auto bit = random.below(256);
      bits[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
    rows[i] = {fmt::format("{:032x}", i), {bits}};
  }
  EXPECT_EQ(check({}, rows, rule_of(false, true), 1), check({}, rows, rule_of(false, true)));
}

TEST(Duplicates, InAllPoses) {
  const auto rows = make_rows(1200, 3, 8);
  EXPECT_GT(check({}, rows, rule_of(true, true, 8)), check({}, rows, rule_of(true, true)));
}

TEST(Duplicates, OfRowsOfOtherSetsGoFirst) {
  auto rows = make_rows(1200, 4, 8);
  std::vector<TestRow> outside(rows.begin(), rows.begin() + 300);
  for (std::size_t i = 0; i < outside.size(); i += 2) outside[i].bytes_hash.clear();
  rows.erase(rows.begin(), rows.begin() + 200);
  EXPECT_GT(check(outside, rows, rule_of(true, true, 8)), 300U);
  EXPECT_GT(check(outside, rows, rule_of(true, true)), 300U);
}

/// A row with some of its bits flipped, from the one `first` on, `step` apart.
Bits flipped(Bits bits, std::size_t count, std::size_t first, std::size_t step) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = first + i * step;
    bits[bit / 64] ^= std::uint64_t{1} << (bit % 64);
  }
  return bits;
}

TEST(Duplicates, AreLikeTheNearestOutsideAlsoWhereRowsAreGoneThroughWordByWord) {
  // So many that no rank looks at every pair; one row here is like two of them.
  constexpr std::size_t kMany = 48000;
  base::Random random(31);
  std::vector<Bits> outside(kMany);
  std::vector<Bits> rows(kMany);
  for (auto& bits : outside) bits = random_bits(random);
  for (auto& bits : rows) bits = random_bits(random);
  constexpr std::size_t kCopy = kMany / 2;
  // The farther one shares its first word, so that it is found first; the nearer one does not.
  outside[kMany / 3] = flipped(rows[kCopy], 31, 16, 7);
  outside[kMany - 1] = flipped(rows[kCopy], 20, 0, 5);
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto rule = rule_of(false, true);
  Duplicates duplicates(rule, folder.path(), std::uint64_t{1} << 28U, world);
  const auto rank = static_cast<std::size_t>(world.rank());
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::size_t begin = kMany * rank / ranks;
  const std::size_t end = kMany * (rank + 1) / ranks;
  for (std::size_t i = begin; i < end; ++i)
    duplicates.add_outside(0, {"", hex(outside[i]), 100}, std::to_string(i));
  for (std::size_t i = begin; i < end; ++i) duplicates.add({"", hex(rows[i]), 100}, std::to_string(i));
  duplicates.solve({});
  for (std::size_t i = begin; i < end; ++i) {
    const auto fate = duplicates.next();
    ASSERT_EQ(fate.likeness, i == kCopy ? Likeness::kPerceptual : Likeness::kNone) << i;
    if (i != kCopy) continue;
    EXPECT_EQ(fate.of, std::to_string(kMany - 1));
    EXPECT_EQ(fate.distance, 20U);
  }
}

TEST(Duplicates, AllOfThemAndNone) {
  base::Random random(5);
  std::vector<TestRow> rows(6000);
  const auto bits = random_bits(random);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].bytes_hash = fmt::format("{:032x}", i);
    rows[i].poses = {bits};
  }
  EXPECT_EQ(check({}, rows, rule_of(true, true)), rows.size() - 1);
  // Near each other, but for a few, and none equal.
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].poses[0][0] ^= i;
  EXPECT_EQ(check({}, rows, rule_of(true, true)), rows.size() - 1);
  for (auto& row : rows) row.quality = 3;
  EXPECT_EQ(check({}, rows, rule_of(true, true)), 0U);
  EXPECT_EQ(check({}, {}, rule_of(true, true)), 0U);
}

TEST(Duplicates, StopsWhenAsked) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto rule = rule_of(true, true);
  Duplicates duplicates(rule, folder.path(), 0, world);
  const auto digits = std::string(64, 'a');
  duplicates.add({"", digits, 100}, "one");
  try {
    duplicates.solve([] { return true; });
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInterrupted);
  }
}

TEST(OutsideRows, FilesOfHashesAreReadByLinesAndRefusedByLine) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  auto rule = rule_of(false, true);
  rule.against = {folder.path() / "set.pdq"};
  world.on_root([&] {
    std::ofstream file(rule.against[0]);
    for (int i = 0; i < 10; ++i)
      file << std::string(63, '0') << i << " " << 40 + i << " a folder/" << i << ".jpg\n";
  });
  std::vector<std::string> names;
  OutsideSets(rule).for_each(comm::Communicator::self(), {},
                             [&](std::size_t set, const Fingerprint& print, std::string_view name) {
                               EXPECT_EQ(set, 0U);
                               EXPECT_EQ(print.quality, 40 + static_cast<int>(names.size()));
                               EXPECT_EQ(print.picture.back(), '0' + static_cast<char>(names.size()));
                               names.emplace_back(name);
                             });
  ASSERT_EQ(names.size(), 10U);
  EXPECT_EQ(names[3], "a folder/3.jpg");
  world.barrier();
  for (const auto& line : std::vector<std::string>{
           "00 100 x", "zz", std::string(64, 'g') + " 1 x", std::string(64, 'a') + " 101 x",
           std::string(64, 'a') + " -1 x", std::string(64, 'a') + " 1", std::string(64, 'A') + " 1 x",
           std::string(64, 'a') + "  x", std::string(100000, 'a')}) {
    world.on_root([&] {
      std::ofstream(rule.against[0]) << std::string(64, '0') << " 1 fine\n" << line << "\n";
    });
    try {
      OutsideSets(rule).for_each(comm::Communicator::self(), {},
                                 [](std::size_t, const Fingerprint&, std::string_view) {});
      ADD_FAILURE() << line;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_NE(std::string(error.what()).find("set.pdq:2"), std::string::npos) << error.what();
    }
    world.barrier();
  }
}

}  // namespace
}  // namespace quasar::curation
