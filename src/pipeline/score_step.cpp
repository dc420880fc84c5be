#include "pipeline/score_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "anchors/aggregate.h"
#include "base/atomic_file.h"
#include "dataset/await_written.h"
#include "pass/run_pass.h"
#include "pipeline/anchor_check.h"
#include "pipeline/score_columns.h"
#include "scoring/score.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

constexpr std::size_t kRowsPerBlock = 4096;

struct ScoringSet {
  std::vector<float> good;
  std::vector<float> bad;
  scoring::AnchorPairs pairs;
  std::optional<scoring::DrawnScores> draws;
};

std::vector<ScoringSet> scoring_sets(const std::vector<store::AnchorSet>& sets) {
  std::vector<ScoringSet> result(sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    result[i].good = anchors::normalised(sets[i].good, sets[i].dimension);
    result[i].bad = anchors::normalised(sets[i].bad, sets[i].dimension);
    result[i].pairs = {result[i].good, result[i].bad, sets[i].dimension};
    if (sets[i].draws() > 0)
      result[i].draws.emplace(sets[i].good_draws, sets[i].bad_draws, sets[i].pairs(), sets[i].dimension);
  }
  return result;
}

void check_encoders(const store::ShardHeader& header, const std::filesystem::path& shard,
                    const std::vector<store::AnchorSet>& sets) {
  for (const auto& set : sets) {
    check_anchor_encoder(set, fmt::format("\"{}\"", set.name), header.encoder, header.dimension,
                         "the embeddings in " + shard.string(),
                         "Rebuild the anchors with the run's encoder, or embed with the anchors'.");
  }
}

/// What all shards are scored by.
struct ScoreJob {
  const RunConfig& config;
  const std::vector<store::AnchorSet>& sets;
  const dataset::DataSet& corpus;
  dataset::WrittenBy embeddings = dataset::WrittenBy::kEarlierJob;
  std::vector<ScoringSet> scoring;
  std::vector<std::string> names;
  std::vector<std::string> fingerprints;
  std::vector<ScoreColumn> columns;
};

/// Whether an embedding is unlike the anchors of a set that tells.
bool is_unlike(std::span<const float> embedding, const std::vector<store::AnchorSet>& sets) {
  return std::any_of(sets.begin(), sets.end(), [&](const auto& set) {
    return !set.neighbours.empty() && scoring::nearest_cosine(embedding, set.neighbours) < set.nearness_floor;
  });
}

float value_of(const ScoreJob& job, const ScoreColumn& column, std::vector<ScoringSet>& sets,
               std::span<const float> embedding) {
  switch (column.kind) {
    case ScoreColumn::Kind::kScore:
      return static_cast<float>(scoring::score_row(embedding, sets[column.set].pairs));
    case ScoreColumn::Kind::kError:
      return static_cast<float>(sets[column.set].draws->error_of(embedding));
    case ScoreColumn::Kind::kOutOfDistribution:
      return is_unlike(embedding, job.sets) ? 1 : 0;
  }
  return 0;
}

void score_shard(const store::EmbeddingShardReader& reader, ScoreJob& job, store::ScoreShard& result) {
  const auto dimension = static_cast<std::size_t>(reader.header().dimension);
  const std::size_t width = job.columns.size();
  result.scores.resize(reader.size() * width);
  std::vector<float> block(std::min(kRowsPerBlock, reader.size()) * dimension);
  for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
    const std::size_t count = std::min(kRowsPerBlock, reader.size() - first);
    const auto rows = std::span(block).first(count * dimension);
    reader.read_embeddings(first, count, rows);
    for (std::size_t i = 0; i < count; ++i) {
      const auto values = std::span(result.scores).subspan((first + i) * width, width);
      for (std::size_t c = 0; c < width; ++c)
        values[c] = value_of(job, job.columns[c], job.scoring, rows.subspan(i * dimension, dimension));
      // What is not scored has nothing that is said of its score.
      if (!std::isfinite(values[0])) std::fill(values.begin(), values.end(), values[0]);
    }
  }
}

/// Scores one shard, unless its scores are there.
void work_on(ScoreJob& job, const corpus::Shard& shard) {
  const auto from = job.corpus.path(shard);
  const auto to = job.config.run.scores(shard.id);
  const auto reader = job.corpus.open(shard, job.embeddings);
  check_encoders(reader.header(), from, job.sets);
  store::ScoreShard result{shard.id, reader.header().content_xxh128, job.names, {}, job.fingerprints};
  if (store::score_shard_matches(to, result.embeddings_xxh128, result.shard, result.names,
                                 result.anchor_fingerprints)) {
    return;
  }
  score_shard(reader, job, result);
  store::write_score_shard(to, result);
}

}  // namespace

void score_step(const RunConfig& config, const dataset::DataSet& corpus, dataset::WrittenBy embeddings,
                const std::vector<store::AnchorSet>& sets, const comm::Communicator& comm) {
  comm.on_root([&] {
    base::make_directories(config.run.scores());
    base::remove_stale_temporaries(config.run.scores());
  });
  ScoreJob job{config, sets, corpus, embeddings, {}, {}, {}, {}};
  comm.together([&] {
    dataset::await_written(config.run.scores());
    job.scoring = scoring_sets(sets);
    job.columns = score_columns(sets);
  });
  for (const auto& column : job.columns) {
    job.names.push_back(column.name);
    job.fingerprints.push_back(column.fingerprint);
  }
  const auto& shards = corpus.plan().shards();
  pass::run_pass({"score", "shards", shards.size(), shards.size()}, comm, [&](pass::ShardFeed& feed) {
    while (const auto next = feed.next()) {
      work_on(job, shards[*next]);
      feed.add_done(1);
    }
  });
}

}  // namespace quasar::pipeline
