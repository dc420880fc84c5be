// Owns the reading of a run's shards, scores and rows side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "curation/manifest.h"
#include "store/embedding_shard.h"

namespace quasar::curation {

/// Reads some shards. All throw Error(kInput) for a file that is missing or damaged, Error(kMismatch) for
/// scores that lack a column or were made from other embeddings.
class ShardRows {
 public:
  /// Those that fall to this rank: every size()-th. `columns`: names of the scores wanted, in order.
  ShardRows(const RankInput& input, std::vector<std::string> columns, const comm::Communicator& comm);
  /// All of them.
  ShardRows(const RankInput& input, std::vector<std::string> columns);

  /// Calls `take` with the scores of each row of this rank, one per column.
  void for_each_scores(const std::function<void(std::span<const float>)>& take) const;

  struct Row {
    std::uint64_t number = 0;  ///< In the plan.
    const store::RowRecord& record;
    std::span<const float> scores;
    std::string_view
        computed_on;  ///< As the shard says; several kinds joined by " and ". Until take() returns.
  };
  void for_each_row(const std::function<void(const Row&)>& take) const;

 private:
  ShardRows(const RankInput& input, std::vector<std::string> columns, int first, int step);

  /// Scores [n, columns] of a shard, and which embeddings they were made from.
  std::vector<float> read_scores(int shard, std::string& embeddings_xxh128) const;

  const RankInput& input_;
  std::vector<std::string> columns_;
  std::vector<std::size_t> mine_;  ///< Indices into input_.shards.
};

}  // namespace quasar::curation
