// Embeddings of chosen rows, over shards and gaps.
#include "curation/row_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "support/test_data.h"

namespace quasar::curation {
namespace {

float value_of(std::uint64_t row, std::size_t at) {
  return static_cast<float>(row) + static_cast<float>(at) / 4;
}

/// Shards of 3000, 0, 5 and 700 rows from row 10 on; each value tells its place.
RankInput write_run(const std::filesystem::path& run, int other_dimension = 3) {
  RankInput input{store::DataSetLayout(run), store::RunLayout(run), {}, {}};
  base::make_directories(input.embeddings.embeddings());
  std::uint64_t first = 10;
  for (const std::uint64_t count : {3000, 0, 5, 700}) {
    store::ShardHeader header;
    header.encoder = {"test", "0", "none", "float32"};
    header.shard = static_cast<int>(input.shards.size());
    header.dimension = count == 700 ? other_dimension : 3;
    std::vector<store::RowRecord> records(count);
    std::vector<float> values;
    for (std::uint64_t i = 0; i < count; ++i) {
      records[i].status = base::RowStatus::kOk;
      for (int at = 0; at < header.dimension; ++at)
        values.push_back(value_of(first + i, static_cast<std::size_t>(at)));
    }
    store::write_embedding_shard(input.embeddings.shard(header.shard), header, records, values);
    input.shards.push_back(header.shard);
    input.shard_first.push_back(first);
    first += count;
  }
  return input;
}

TEST(RowVectors, AreThoseOfTheRowsAskedForInAnyStretches) {
  const test::ScratchFolder folder;
  const auto input = write_run(folder / "run");
  base::Random random(1);
  for (const std::uint64_t every : {1, 2, 40, 2000}) {
    std::vector<std::uint64_t> wanted;
    for (std::uint64_t row = 10; row < 3715; ++row) {
      if (random.below(every) == 0) wanted.push_back(row);
    }
    RowVectors rows(input, wanted);
    ASSERT_EQ(rows.dimension(), 3U);
    ASSERT_EQ(rows.size(), static_cast<std::int64_t>(wanted.size()));
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{5000}}) {
      for (std::size_t first = 0; first < wanted.size(); first += step * 3) {
        const std::size_t count = std::min(step, wanted.size() - first);
        std::vector<float> values(count * 3);
        std::vector<std::int64_t> numbers(count);
        rows.read(static_cast<std::int64_t>(first), static_cast<std::int64_t>(count), values, numbers);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(numbers[i], static_cast<std::int64_t>(wanted[first + i]));
          for (std::size_t at = 0; at < 3; ++at)
            ASSERT_EQ(values[i * 3 + at], value_of(wanted[first + i], at)) << wanted[first + i];
        }
      }
    }
  }
  RowVectors none(input, {});
  EXPECT_EQ(none.size(), 0);
  none.read(0, 0, {}, {});
}

TEST(RowVectors, OfAnotherDimensionOrWithoutAFileAreRefusedByName) {
  const test::ScratchFolder folder;
  const auto input = write_run(folder / "run", 4);
  std::vector<float> values(3);
  const auto message_of = [&](std::uint64_t row) -> std::string {
    RowVectors rows(input, {row});
    try {
      rows.read(0, 1, values, {});
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      return error.what();
    }
    return {};
  };
  EXPECT_EQ(message_of(12), "");
  EXPECT_THAT(message_of(3100), testing::HasSubstr(input.embeddings.shard(3).string() +
                                                   " holds embeddings of 4 values; the first shard of the "
                                                   "run has 3"));
  std::filesystem::remove(input.embeddings.shard(2));
  EXPECT_THAT(message_of(3011), testing::HasSubstr(input.embeddings.shard(2).string()));
  EXPECT_THAT(message_of(3715 + 9), testing::HasSubstr(input.embeddings.shard(3).string()));
}

}  // namespace
}  // namespace quasar::curation
