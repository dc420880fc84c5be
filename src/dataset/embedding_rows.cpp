#include "dataset/embedding_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/errors.h"

namespace quasar::dataset {

EmbeddingRows::EmbeddingRows(DataSet set, std::vector<corpus::Shard> shards, std::size_t dimension)
    : set_(std::move(set)), shards_(std::move(shards)), begins_(1, 0), dimension_(dimension) {
  for (const auto& shard : shards_)
    begins_.push_back(begins_.back() + static_cast<std::int64_t>(shard.count));
}

const store::EmbeddingShardReader& EmbeddingRows::open(std::size_t shard) {
  if (opened_ == shard) return *reader_;
  opened_ = SIZE_MAX;
  reader_.emplace(set_.open(shards_[shard], WrittenBy::kThisJob));
  if (static_cast<std::size_t>(reader_->header().dimension) != dimension_) {
    base::fail(base::ExitCode::kInput,
               fmt::format("{} holds embeddings of {} values; the encoder gives {}",
                           set_.path(shards_[shard]).string(), reader_->header().dimension, dimension_));
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

}  // namespace quasar::dataset
