#include "pipeline/score_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "anchors/aggregate.h"
#include "base/atomic_file.h"
#include "dataset/await_written.h"
#include "pass/run_pass.h"
#include "pipeline/anchor_check.h"
#include "scoring/score.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

constexpr std::size_t kRowsPerBlock = 4096;

struct ScoringSet {
  std::vector<float> good;
  std::vector<float> bad;
  scoring::AnchorPairs pairs;
};

std::vector<ScoringSet> scoring_sets(const std::vector<store::AnchorSet>& sets) {
  std::vector<ScoringSet> result(sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    result[i].good = anchors::normalised(sets[i].good, sets[i].dimension);
    result[i].bad = anchors::normalised(sets[i].bad, sets[i].dimension);
    result[i].pairs = {result[i].good, result[i].bad, sets[i].dimension};
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

void score_shard(const store::EmbeddingShardReader& reader, const std::vector<ScoringSet>& sets,
                 store::ScoreShard& result) {
  const auto dimension = static_cast<std::size_t>(reader.header().dimension);
  result.scores.resize(reader.size() * sets.size());
  std::vector<float> block(kRowsPerBlock * dimension);
  for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
    const std::size_t count = std::min(kRowsPerBlock, reader.size() - first);
    const auto rows = std::span(block).first(count * dimension);
    reader.read_embeddings(first, count, rows);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t s = 0; s < sets.size(); ++s) {
        result.scores[(first + i) * sets.size() + s] =
            static_cast<float>(scoring::score_row(rows.subspan(i * dimension, dimension), sets[s].pairs));
      }
    }
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
};

/// Scores one shard, unless its scores are there.
void work_on(const ScoreJob& job, const corpus::Shard& shard) {
  const auto from = job.corpus.path(shard);
  const auto to = job.config.run.scores(shard.id);
  const auto reader = job.corpus.open(shard, job.embeddings);
  check_encoders(reader.header(), from, job.sets);
  store::ScoreShard result{shard.id, reader.header().content_xxh128, job.names, {}, job.fingerprints};
  if (store::score_shard_matches(to, result.embeddings_xxh128, result.shard, result.names,
                                 result.anchor_fingerprints)) {
    return;
  }
  score_shard(reader, job.scoring, result);
  store::write_score_shard(to, result);
}

}  // namespace

void score_step(const RunConfig& config, const dataset::DataSet& corpus, dataset::WrittenBy embeddings,
                const std::vector<store::AnchorSet>& sets, const comm::Communicator& comm) {
  comm.on_root([&] {
    base::make_directories(config.run.scores());
    base::remove_stale_temporaries(config.run.scores());
  });
  ScoreJob job{config, sets, corpus, embeddings, {}, {}, {}};
  comm.together([&] {
    dataset::await_written(config.run.scores());
    job.scoring = scoring_sets(sets);
  });
  for (const auto& set : sets) {
    job.names.push_back(set.name);
    job.fingerprints.push_back(store::anchor_fingerprint(set));
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
