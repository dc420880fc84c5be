// Owns the stored embeddings of a run as rows that can be read again and again, so that they never need to
// fit in memory.
#pragma once

#include <optional>
#include <vector>

#include "cluster/row_source.h"
#include "dataset/data_set.h"

namespace quasar::dataset {

/// Embeddings of some shards of a data set, embedded before by this job's ranks, straight from their files. A
/// row's number is its place in the plan. Failed rows are among them and hold NaN. Reading throws
/// Error(kInput) for a shard that is missing, damaged or of another shape than the plan says.
class EmbeddingRows final : public cluster::RowSource {
 public:
  EmbeddingRows(DataSet set, std::vector<corpus::Shard> shards, std::size_t dimension);

  std::size_t dimension() const override { return dimension_; }
  std::int64_t size() const override { return begins_.back(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;

 private:
  const store::EmbeddingShardReader& open(std::size_t shard);

  DataSet set_;
  std::vector<corpus::Shard> shards_;
  std::vector<std::int64_t> begins_;  ///< First row of each shard here; the total at the end.
  std::size_t dimension_;
  std::size_t opened_ = SIZE_MAX;
  std::optional<store::EmbeddingShardReader> reader_;
};

}  // namespace quasar::dataset
