#include "cluster/row_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "cluster/kmeans.h"
#include "cluster/kmeans_memory.h"
#include "support/test_data.h"

namespace quasar::cluster {
namespace {

constexpr std::size_t kDimension = 32;
constexpr std::size_t kRows = 9000;

/// Row `i` of the data set; every 1,000th one is not finite.
std::vector<float> row_of(std::int64_t i) {
  base::Random random(static_cast<std::uint64_t>(i) + 77);
  std::vector<float> row(kDimension);
  const auto center = static_cast<double>(random.below(9));
  for (std::size_t j = 0; j < kDimension; ++j) {
    row[j] = static_cast<float>(std::sin(center * static_cast<double>(j + 1)) + 0.5 * random.normal());
  }
  if (i % 1000 == 13) row[5] = std::numeric_limits<float>::quiet_NaN();
  return row;
}

/// Rows that are made when they are read, and checks on how they are read.
class MadeRows final : public RowSource {
 public:
  explicit MadeRows(std::vector<std::int64_t> numbers, std::int64_t stride = 1)
      : numbers_(std::move(numbers)), stride_(stride) {}

  std::size_t dimension() const override { return kDimension; }
  std::int64_t size() const override { return static_cast<std::int64_t>(numbers_.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    if (reading_.exchange(true)) overlapped = true;
    ASSERT_TRUE(first >= 0 && count >= 0 && first + count <= size());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t number = numbers_[static_cast<std::size_t>(first + i)];
      if (!numbers.empty()) numbers[static_cast<std::size_t>(i)] = number * stride_;
      if (values.empty()) continue;
      // Rows with numbers that end in 013 are not finite.
      const auto row = row_of(changes && rows_read > 2 * size() ? 1000 * number + 13 : number);
      std::ranges::copy(row, values.begin() + i * static_cast<std::int64_t>(kDimension));
      ++rows_read;
      if (fails_after >= 0 && rows_read > fails_after) {
        reading_ = false;
        base::fail(base::ExitCode::kInput, "the shard cannot be read");
      }
    }
    largest_read = std::max(largest_read, count);
    reading_ = false;
  }

  std::int64_t rows_read = 0;
  std::int64_t largest_read = 0;
  std::int64_t fails_after = -1;
  bool changes = false;
  std::atomic<bool> overlapped = false;

 private:
  std::vector<std::int64_t> numbers_;
  std::int64_t stride_;
  std::atomic<bool> reading_ = false;
};

/// How rows are spread over ranks.
enum class Spread { kBlocks, kInterleaved, kShuffled };

std::vector<std::int64_t> numbers_of(const comm::Communicator& comm, Spread spread) {
  std::vector<std::int64_t> order(kRows);
  for (std::size_t i = 0; i < kRows; ++i) order[i] = static_cast<std::int64_t>(i);
  if (spread == Spread::kShuffled) base::Random(5).shuffle(std::span(order));
  std::vector<std::int64_t> mine;
  for (std::size_t i = 0; i < kRows; ++i) {
    const std::size_t ranks = static_cast<std::size_t>(comm.size());
    const std::size_t owner = spread == Spread::kInterleaved ? i / 3 % ranks : i * ranks / kRows;
    if (owner == static_cast<std::size_t>(comm.rank())) mine.push_back(order[i]);
  }
  return mine;
}

/// With room for two chunks of 600 rows.
std::uint64_t tight_limit(const KMeansConfig& config, int threads) {
  const auto least = kmeans_memory(0, kDimension, config.k, threads, 0).total();
  return least + sizeof(float) * 2 * 600 * kDimension;
}

void expect_same(const KMeansResult& a, const KMeansResult& b) {
  EXPECT_EQ(a.centroids, b.centroids);
  EXPECT_EQ(a.sizes, b.sizes);
  EXPECT_EQ(a.rows_used, b.rows_used);
  EXPECT_EQ(a.rows_not_finite, b.rows_not_finite);
  ASSERT_EQ(a.iterations.size(), b.iterations.size());
  for (std::size_t i = 0; i < a.iterations.size(); ++i) {
    EXPECT_EQ(a.iterations[i].objective, b.iterations[i].objective);
    EXPECT_EQ(a.iterations[i].imbalance, b.iterations[i].imbalance);
    EXPECT_EQ(a.iterations[i].empty, b.iterations[i].empty);
  }
}

KMeansResult in_memory_alone(const KMeansConfig& config) {
  const auto self = comm::Communicator::self();
  MadeRows rows(numbers_of(self, Spread::kBlocks));
  return kmeans(rows, config, self);
}

TEST(StreamedKMeans, IsBitIdenticalForAnySpreadMemoryAndThreads) {
  const auto world = comm::Communicator::world();
  for (const std::int64_t most : {0, 100}) {
    const KMeansConfig config{.k = 9, .iterations = 6, .max_points_per_centroid = most};
    const auto expected = in_memory_alone(config);
    EXPECT_EQ(expected.rows_used, most == 0 ? 8991 : 900);
    EXPECT_EQ(expected.rows_not_finite, 9);
    for (const Spread spread : {Spread::kBlocks, Spread::kInterleaved, Spread::kShuffled}) {
      for (const int threads : {1, 3}) {
        for (const bool tight : {false, true}) {
          MadeRows rows(numbers_of(world, spread));
          const std::uint64_t limit = tight ? tight_limit(config, threads) : 0;
          const auto result = kmeans(rows, config, world, {}, {.memory_bytes = limit, .threads = threads});
          expect_same(result, expected);
          EXPECT_FALSE(rows.overlapped);
          EXPECT_LE(rows.largest_read, tight ? 600 : rows.size());
          if (tight && most == 0) {
            EXPECT_GE(rows.rows_read, 5 * rows.size());
          }
          if (!tight) {
            EXPECT_LE(rows.rows_read, rows.size() + config.k);
          }
        }
      }
    }
  }
}

TEST(StreamedKMeans, NumbersMayHaveWideGaps) {
  const auto world = comm::Communicator::world();
  const KMeansConfig config{.k = 5, .iterations = 3};
  // Order is what counts, not the numbers: these need several windows of the joined bitmap.
  MadeRows rows(numbers_of(world, Spread::kInterleaved), 4001);
  expect_same(kmeans(rows, config, world), in_memory_alone(config));
}

TEST(StreamedKMeans, AReadErrorOnOneRankEndsAllOfThem) {
  const auto world = comm::Communicator::world();
  for (const double passes : {0.5, 2.5}) {
    MadeRows rows(numbers_of(world, Spread::kBlocks));
    if (world.rank() == world.size() - 1) {
      rows.fails_after = static_cast<std::int64_t>(passes * static_cast<double>(rows.size()));
    }
    const KMeansConfig config{.k = 4, .iterations = 20};
    try {
      kmeans(rows, config, world, {}, {.memory_bytes = tight_limit(config, 1), .threads = 1});
      FAIL() << "no error";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
    }
  }
}

TEST(StreamedKMeans, NoticesThatRowsChangedBetweenPasses) {
  const auto world = comm::Communicator::world();
  MadeRows rows(numbers_of(world, Spread::kBlocks));
  rows.changes = true;
  const KMeansConfig config{.k = 4, .iterations = 20};
  try {
    kmeans(rows, config, world, {}, {.memory_bytes = tight_limit(config, 1), .threads = 1});
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_NE(std::string(error.what()).find("changed"), std::string::npos) << error.what();
  }
}

TEST(KMeansMemory, StaysInItsLimitAndRefusesWhatIsTooSmall) {
  const auto free = kmeans_memory(1000000, 1024, 256, 2, 0);
  EXPECT_FALSE(free.streamed);
  EXPECT_EQ(free.rows, 4096000000U);
  const auto streamed = kmeans_memory(1000000, 1024, 256, 2, 500U << 20U);
  EXPECT_TRUE(streamed.streamed);
  EXPECT_LE(streamed.total(), 500U << 20U);
  EXPECT_THROW(kmeans_memory(1000000, 1024, 256, 2, 5U << 20U), base::Error);
  const auto world = comm::Communicator::world();
  MadeRows rows(numbers_of(world, Spread::kBlocks));
  EXPECT_THROW(kmeans(rows, {.k = 4}, world, {}, {.memory_bytes = 10000}), base::Error);
}

TEST(MemberMeans, OfOneCentroidIsTheMeanOfAllFiniteRows) {
  const auto world = comm::Communicator::world();
  MadeRows rows(numbers_of(world, Spread::kInterleaved));
  const auto members = member_means(rows, std::vector<float>(kDimension, 0), world);
  EXPECT_EQ(members.sizes, std::vector<std::int64_t>{8991});
  EXPECT_EQ(members.rows_not_finite, 9);
  std::vector<double> sum(kDimension, 0);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(kRows); ++i) {
    if (i % 1000 == 13) continue;
    const auto row = row_of(i);
    for (std::size_t j = 0; j < kDimension; ++j) sum[j] += static_cast<double>(row[j]);
  }
  for (std::size_t j = 0; j < kDimension; ++j) EXPECT_NEAR(members.means[j], sum[j] / 8991, 1e-7);
}

}  // namespace
}  // namespace quasar::cluster
