// Owns the stored embeddings of a run as rows that can be read again and again, so that they never need to
// fit in memory.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "cluster/row_source.h"
#include "corpus/plan.h"
#include "store/embedding_shard.h"

namespace quasar::pipeline {

/// The shards of a plan that fall to one of `ranks` ranks, every ranks-th of them.
std::vector<corpus::Shard> shards_of_rank(const corpus::Plan& plan, int rank, int ranks);

/// Embeddings of some shards of the run directory `folder`, embedded before by this job's ranks, straight
/// from their files. A row's number is its place in the plan. Failed rows are among them and hold NaN.
/// Reading throws Error(kInput) for a shard that is missing, damaged or of another shape than the plan says.
class EmbeddingRows final : public cluster::RowSource {
 public:
  EmbeddingRows(std::filesystem::path folder, std::vector<corpus::Shard> shards, std::size_t dimension);

  std::size_t dimension() const override { return dimension_; }
  std::int64_t size() const override { return begins_.back(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;

 private:
  const store::EmbeddingShardReader& open(std::size_t shard);

  std::filesystem::path folder_;
  std::vector<corpus::Shard> shards_;
  std::vector<std::int64_t> begins_;  ///< First row of each shard here; the total at the end.
  std::size_t dimension_;
  std::size_t opened_ = SIZE_MAX;
  std::unique_ptr<store::EmbeddingShardReader> reader_;
};

}  // namespace quasar::pipeline
