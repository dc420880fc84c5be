#include "curation/shard_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/errors.h"
#include "store/score_shard.h"

namespace quasar::curation {
namespace {

/// Rows whose texts are in memory at once.
constexpr std::size_t kRowsPerBlock = 4096;

}  // namespace

ShardRows::ShardRows(const RankInput& input, std::vector<std::string> columns, const comm::Communicator& comm)
    : ShardRows(input, std::move(columns), comm.rank(), comm.size()) {}

ShardRows::ShardRows(const RankInput& input, std::vector<std::string> columns)
    : ShardRows(input, std::move(columns), 0, 1) {}

ShardRows::ShardRows(const RankInput& input, std::vector<std::string> columns, int first, int step)
    : input_(input), columns_(std::move(columns)) {
  QUASAR_CHECK(input.shards.size() == input.shard_first.size());
  for (auto i = static_cast<std::size_t>(first); i < input.shards.size(); i += static_cast<std::size_t>(step))
    mine_.push_back(i);
}

std::vector<float> ShardRows::read_scores(int shard, std::string& embeddings_xxh128) const {
  const auto path = input_.scores.scores(shard);
  store::ScoreShard stored = store::read_score_shard(path);
  embeddings_xxh128 = stored.embeddings_xxh128;
  if (stored.names == columns_) return std::move(stored.scores);
  std::vector<std::size_t> places;
  for (const auto& column : columns_) {
    const auto found = std::find(stored.names.begin(), stored.names.end(), column);
    if (found == stored.names.end()) {
      base::fail(base::ExitCode::kMismatch, path.string() + " holds no scores against the anchors '" +
                                                column + "': score the run again");
    }
    places.push_back(static_cast<std::size_t>(found - stored.names.begin()));
  }
  std::vector<float> scores;
  for (std::size_t row = 0; row < stored.scores.size(); row += stored.names.size()) {
    for (const std::size_t place : places) scores.push_back(stored.scores[row + place]);
  }
  return scores;
}

void ShardRows::for_each_scores(const std::function<void(std::span<const float>)>& take) const {
  for (const std::size_t index : mine_) {
    std::string scored;
    const auto scores = read_scores(input_.shards[index], scored);
    for (std::size_t at = 0; at < scores.size(); at += columns_.size()) {
      take(std::span(scores).subspan(at, columns_.size()));
    }
  }
}

void ShardRows::for_each_row(const std::function<void(const Row&)>& take) const {
  for (const std::size_t index : mine_) {
    const int shard = input_.shards[index];
    std::string scored;
    const auto scores = read_scores(shard, scored);
    const store::EmbeddingShardReader reader(input_.embeddings.shard(shard), store::Integrity::kRows);
    if (reader.size() * columns_.size() != scores.size()) {
      base::fail(base::ExitCode::kMismatch,
                 fmt::format("{} has {} rows but {} has {}: score the run again",
                             input_.embeddings.shard(shard).string(), reader.size(),
                             input_.scores.scores(shard).string(), scores.size() / columns_.size()));
    }
    if (reader.header().content_xxh128 != scored) {
      base::fail(base::ExitCode::kMismatch,
                 fmt::format("{} was embedded anew after {} was made from it: score the run again",
                             input_.embeddings.shard(shard).string(), input_.scores.scores(shard).string()));
    }
    const auto computed_on = fmt::format("{}", fmt::join(reader.header().computed_on, " and "));
    for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
      const auto records = reader.read_rows(first, std::min(kRowsPerBlock, reader.size() - first));
      for (std::size_t i = 0; i < records.size(); ++i) {
        take({input_.shard_first[index] + first + i, records[i],
              std::span(scores).subspan((first + i) * columns_.size(), columns_.size()), computed_on});
      }
    }
  }
}

}  // namespace quasar::curation
