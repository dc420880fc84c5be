#include "pipeline/embedding_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/errors.h"
#include "pipeline/await_written.h"
#include "pipeline/embed.h"

namespace quasar::pipeline {

std::vector<corpus::Shard> shards_of_rank(const corpus::Plan& plan, int rank, int ranks) {
  std::vector<corpus::Shard> mine;
  for (auto i = static_cast<std::size_t>(rank); i < plan.shards().size();
       i += static_cast<std::size_t>(ranks)) {
    mine.push_back(plan.shards()[i]);
  }
  return mine;
}

EmbeddingRows::EmbeddingRows(std::filesystem::path folder, std::vector<corpus::Shard> shards,
                             std::size_t dimension)
    : folder_(std::move(folder)), shards_(std::move(shards)), begins_(1, 0), dimension_(dimension) {
  for (const auto& shard : shards_)
    begins_.push_back(begins_.back() + static_cast<std::int64_t>(shard.count));
}

const store::EmbeddingShardReader& EmbeddingRows::open(std::size_t shard) {
  if (opened_ == shard) return *reader_;
  opened_ = SIZE_MAX;
  const auto path = shard_path(folder_, shards_[shard].id);
  await_written(path);
  reader_ = std::make_unique<store::EmbeddingShardReader>(path);
  if (reader_->size() != shards_[shard].count ||
      static_cast<std::size_t>(reader_->header().dimension) != dimension_) {
    base::fail(
        base::ExitCode::kInput,
        fmt::format("{} holds {} rows of {} values; the plan and the encoder say {} of {}", path.string(),
                    reader_->size(), reader_->header().dimension, shards_[shard].count, dimension_));
  }
  opened_ = shard;
  return *reader_;
}

void EmbeddingRows::read(std::int64_t first, std::int64_t count, std::span<float> values,
                         std::span<std::int64_t> numbers) {
  QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
  auto shard = static_cast<std::size_t>(std::ranges::upper_bound(begins_, first) - begins_.begin()) - 1;
  std::int64_t done = 0;
  for (; done < count; ++shard) {
    const std::int64_t from = first + done - begins_[shard];
    const std::int64_t rows = std::min(count - done, begins_[shard + 1] - begins_[shard] - from);
    const auto place = static_cast<std::size_t>(done);
    const auto length = static_cast<std::size_t>(rows);
    if (!values.empty()) {
      open(shard).read_embeddings(static_cast<std::size_t>(from), length,
                                  values.subspan(place * dimension_, length * dimension_));
    }
    if (!numbers.empty()) {
      const auto part = numbers.subspan(place, length);
      std::iota(part.begin(), part.end(), static_cast<std::int64_t>(shards_[shard].first) + from);
    }
    done += rows;
  }
}

}  // namespace quasar::pipeline
