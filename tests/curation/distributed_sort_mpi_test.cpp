#include "curation/distributed_sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "base/sanitized.h"
#include "curation/memory_status.h"
#include "curation/shared_folder.h"

namespace quasar::curation {
namespace {

struct Row {
  float score = 0;
  std::string id;
  bool counted = false;
};

/// Rows with many equal scores, ids that are prefixes of each other, and some without a score.
std::vector<Row> make_rows(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<Row> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i].score = random.below(10) == 0 ? std::numeric_limits<float>::quiet_NaN()
                                          : static_cast<float>(random.below(50)) / 50.0F - 0.3F;
    // One byte beyond 127: ids are ordered as unsigned bytes.
    rows[i].id =
        std::string(random.below(6), 'a') + (random.below(2) == 0 ? "\xC3\xA4" : "z") + std::to_string(i);
    rows[i].counted = random.below(3) == 0;
  }
  return rows;
}

std::string payload_of(std::size_t row) {
  return std::string(row % 40, static_cast<char>('A' + row % 26)) + std::to_string(row);
}

struct Line {
  std::uint64_t row = 0;
  std::uint64_t position = 0;
  std::uint64_t first_of_key = 0;
  std::uint64_t counted_before = 0;
  bool operator==(const Line&) const = default;
};

/// The order by the definition, without any of the machinery.
std::vector<Line> expected(const std::vector<Row>& rows) {
  std::vector<std::uint64_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::uint64_t a, std::uint64_t b) {
    const Row& x = rows[a];
    const Row& y = rows[b];
    if (std::isnan(x.score) != std::isnan(y.score)) return std::isnan(y.score);
    if (!std::isnan(x.score) && x.score != y.score) return x.score > y.score;
    const auto less = [](char p, char q) {
      return static_cast<unsigned char>(p) < static_cast<unsigned char>(q);
    };
    if (x.id != y.id)
      return std::lexicographical_compare(x.id.begin(), x.id.end(), y.id.begin(), y.id.end(), less);
    return a < b;
  });
  std::vector<Line> lines(order.size());
  std::uint64_t counted = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const float score = rows[order[i]].score;
    const float before = i == 0 ? 0.0F : rows[order[i - 1]].score;
    const bool same = i > 0 && (score == before || (std::isnan(score) && std::isnan(before)));
    lines[i] = {order[i], i, same ? lines[i - 1].first_of_key : i, counted};
    counted += rows[order[i]].counted ? 1 : 0;
  }
  return lines;
}

/// Sorts with the rows dealt out in blocks, and gathers all slices on every rank.
std::vector<Line> sorted(const std::vector<Row>& rows, std::uint64_t memory,
                         const std::filesystem::path& folder, std::uint64_t* runs = nullptr,
                         std::uint64_t most_open = DistributedSort::kLargestFanIn) {
  const auto comm = comm::Communicator::world();
  DistributedSort sort(folder, memory, comm, most_open);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<int>(i / 13 % static_cast<std::size_t>(comm.size())) != comm.rank()) continue;
    const std::string payload = payload_of(i);
    sort.add({descending_key(rows[i].score), i, rows[i].counted, rows[i].id, payload});
  }
  SortedSlice slice = sort.finish();
  std::vector<Line> lines;
  SortRecord record;
  // Begun anew, from within and from the end, it is the same.
  for (std::uint64_t i = 0; i < slice.size() / 3; ++i) slice.next(record);
  slice.rewind();
  while (slice.next(record)) continue;
  EXPECT_FALSE(slice.next(record));
  slice.rewind();
  std::uint64_t counted = slice.counted_before();
  while (slice.next(record)) {
    EXPECT_EQ(record.id, rows[record.row].id);
    EXPECT_EQ(record.payload, payload_of(record.row));
    lines.push_back({record.row, slice.first() + lines.size(), slice.first_of_key(), counted});
    counted += record.counted ? 1 : 0;
  }
  EXPECT_EQ(lines.size(), slice.size());
  std::vector<std::vector<Line>> parts(static_cast<std::size_t>(comm.size()), lines);
  std::vector<Line> all;
  for (const auto& part : comm.exchange(parts)) all.insert(all.end(), part.begin(), part.end());
  if (runs != nullptr) *runs = sort.runs_written();
  comm.barrier();
  return all;
}

TEST(DescendingKey, OrdersAllKindsOfValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {infinity, 1e30F,   1.0F,  0.5F,   1e-45F,
                                     0.0F,     -1e-45F, -0.5F, -1e30F, -infinity};
  for (std::size_t i = 1; i < values.size(); ++i) {
    EXPECT_LT(descending_key(values[i - 1]), descending_key(values[i])) << values[i];
  }
  EXPECT_EQ(descending_key(0.0F), descending_key(-0.0F));
  EXPECT_LT(descending_key(-infinity), kNoScore);
  EXPECT_EQ(descending_key(std::numeric_limits<float>::quiet_NaN()), kNoScore);
  EXPECT_EQ(descending_key(-std::numeric_limits<float>::quiet_NaN()), kNoScore);
}

TEST(DistributedSort, OrdersByScoreThenIdInMemory) {
  const SharedFolder folder;
  const auto rows = make_rows(5000, 1);
  std::uint64_t runs = 0;
  EXPECT_EQ(sorted(rows, std::uint64_t{64} << 20U, folder.path(), &runs), expected(rows));
  EXPECT_EQ(runs, 1U);
}

TEST(DistributedSort, GivesTheSameThroughManyRunsAndMergesOfRuns) {
  const SharedFolder folder;
  const auto rows = make_rows(5000, 2);
  std::uint64_t runs = 0;
  EXPECT_EQ(sorted(rows, 4000, folder.path(), &runs), expected(rows));
  EXPECT_GT(runs, 30U);
}

TEST(DistributedSort, TakesARecordLargerThanItsMemory) {
  const SharedFolder folder;
  const auto rows = make_rows(20, 3);
  EXPECT_EQ(sorted(rows, 1, folder.path()), expected(rows));
}

#if !defined(QUASAR_SANITIZED)
TEST(DistributedSort, StaysUnderItsMemoryCeiling) {
  constexpr std::uint64_t kRows = 600'000;  // Some 100 bytes each: 15 MB on each of four ranks.
  constexpr std::uint64_t kMemory = std::uint64_t{2} << 20U;
  constexpr std::uint64_t kBeside = std::uint64_t{6} << 20U;  // For buffers of files and MPI.
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  sorted(make_rows(1000, 8), kMemory, folder.path());  // What comes with the first sort is not counted.
  std::ofstream("/proc/self/clear_refs") << "5";       // The peak begins again.
  const std::uint64_t before = memory_status("VmRSS");
  const std::string payload(60, 'p');
  DistributedSort sort(folder.path(), kMemory, comm);
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  for (auto row = static_cast<std::uint64_t>(comm.rank()); row < kRows; row += ranks) {
    const auto key = static_cast<std::uint32_t>(base::split_mix(row) >> 40U);
    sort.add({key, row, false, "picture-" + std::to_string(row), payload});
  }
  SortedSlice slice = sort.finish();
  SortRecord record;
  std::uint32_t last = 0;
  std::uint64_t count = 0;
  for (; slice.next(record); ++count) {
    ASSERT_LE(last, record.key);
    last = record.key;
  }
  EXPECT_LE(memory_status("VmHWM"), before + kMemory + kBeside);
  EXPECT_EQ(comm.all_reduce(static_cast<std::int64_t>(count), comm::Reduction::kSum),
            static_cast<std::int64_t>(kRows));
}
#endif

TEST(DistributedSort, SplitsOneGiantTieOverRanks) {
  const SharedFolder folder;
  auto rows = make_rows(4000, 4);
  for (auto& row : rows) row.score = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sorted(rows, 16000, folder.path()), expected(rows));
}

TEST(DistributedSort, SettlesEqualIdsByRow) {
  const SharedFolder folder;
  auto rows = make_rows(300, 5);
  for (auto& row : rows) row = {0.5F, "same", true};
  EXPECT_EQ(sorted(rows, 3000, folder.path()), expected(rows));
}

TEST(DistributedSort, TakesNoRowsAndFewerRowsThanRanks) {
  const SharedFolder folder;
  EXPECT_TRUE(sorted({}, 1000, folder.path()).empty());
  const auto rows = make_rows(1, 6);
  EXPECT_EQ(sorted(rows, 1000, folder.path()), expected(rows));
}

TEST(DistributedSort, MergesMoreRunsThanItMayOpenAtOnce) {
  // As on more than 256 ranks, of which each has two runs at least.
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  const auto rows = make_rows(3000, 9);
  for (const std::uint64_t most_open : {2U, 3U}) {
    EXPECT_EQ(sorted(rows, 4000, folder.path(), nullptr, most_open), expected(rows));
    comm.barrier();
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    comm.barrier();
  }
}

TEST(DistributedSort, RemovesItsFiles) {
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  sorted(make_rows(1000, 7), 4000, folder.path());
  comm.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(DistributedSort, FailsOnAllRanksWhenAFolderIsMissing) {
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  DistributedSort sort(folder.path() / "absent", 1000, comm);
  if (comm.rank() == comm.size() - 1) sort.add({1, 0, false, "a", ""});
  try {
    sort.finish();
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kOutput);
    EXPECT_NE(std::string(error.what()).find("absent"), std::string::npos) << error.what();
  }
}

TEST(DistributedSort, NoticesADamagedRun) {
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  if (comm.size() > 1) GTEST_SKIP() << "one rank is enough";
  DistributedSort sort(folder.path(), 100000, comm);
  for (std::uint64_t i = 0; i < 3000; ++i) sort.add({1, i, false, "id" + std::to_string(i), "payload"});
  SortedSlice slice = sort.finish();
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::resize_file(entry.path(), 20000);
  }
  SortRecord record;
  EXPECT_THROW(
      {
        while (slice.next(record)) {
        }
      },
      base::Error);
}

}  // namespace
}  // namespace quasar::curation
