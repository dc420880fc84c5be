// Owns the stored embeddings of chosen rows of a run, as rows that can be read again and again, so that they
// never need to fit in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/row_source.h"
#include "curation/manifest.h"
#include "store/embedding_shard.h"

namespace quasar::curation {

/// Embeddings straight from the shards, as they are stored. A row's number is its place in the plan. Any rank
/// may read any rows; those that lie together are read together.
class RowVectors final : public cluster::RowSource {
 public:
  /// `rows`: places in the plan, ascending; such as ShardRows gives with scores. `input` outlives this.
  /// Throws Error(kInput) for a first shard that is missing or damaged; read() for all others, and for one of
  /// another dimension.
  RowVectors(const RankInput& input, std::vector<std::uint64_t> rows);

  /// 0 of a run without shards.
  std::size_t dimension() const override { return dimension_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;

 private:
  const store::EmbeddingShardReader& open(std::size_t shard);
  /// Values of the given rows, all of the shard.
  void read_shard(std::size_t shard, std::span<const std::uint64_t> rows, std::span<float> values);

  const RankInput& input_;
  std::vector<std::uint64_t> rows_;
  std::size_t dimension_ = 0;
  std::size_t opened_ = SIZE_MAX;
  std::optional<store::EmbeddingShardReader> reader_;
  std::vector<float> block_;
};

}  // namespace quasar::curation
