// Internal to the module: owns the embeddings of some rows of a run as rows that can be read again and again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/row_source.h"
#include "curation/manifest.h"
#include "store/embedding_shard.h"

namespace quasar::curation {

/// Embeddings straight from their shards, each divided by its L2 norm, as scores are made of them. A row's
/// number is its place in the plan. Reading throws Error(kInput) for a shard that is missing or damaged.
class ChosenEmbeddings final : public cluster::RowSource {
 public:
  /// `rows`: numbers in the plan, ascending; both outlive it.
  ChosenEmbeddings(const RankInput& input, std::span<const std::uint64_t> rows);

  std::size_t dimension() const override { return dimension_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;

  /// Order-free sum over the rows of hashes of their numbers and their shards' content: equal for equal rows.
  std::uint64_t content(std::uint64_t seed);

 private:
  /// Opens that shard of the input.
  const store::EmbeddingShardReader& open(std::size_t index);
  /// Which shard of the input has the row.
  std::size_t shard_of(std::uint64_t row) const;

  const RankInput& input_;
  std::span<const std::uint64_t> rows_;
  std::size_t dimension_ = 0;
  std::size_t opened_ = SIZE_MAX;
  std::optional<store::EmbeddingShardReader> reader_;
  std::vector<float> stretch_;
};

}  // namespace quasar::curation
