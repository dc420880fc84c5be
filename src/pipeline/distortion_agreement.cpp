#include "pipeline/distortion_agreement.h"

#include <cmath>
#include <map>

#include "base/errors.h"
#include "corpus/plan.h"
#include "dataset/data_set.h"
#include "dataset/distorted_items.h"
#include "dataset/shard_encoder.h"
#include "distort/distortion_table.h"
#include "pipeline/anchor_check.h"
#include "pipeline/embed_step.h"
#include "scoring/score.h"

namespace quasar::pipeline {
namespace {

/// `count` items evenly spread over all of the folder's.
std::vector<corpus::Item> chosen_photos(const AgreementJob& job) {
  corpus::CorpusConfig config;
  corpus::SourceConfig source;
  source.kind = corpus::SourceKind::kDirectory;
  source.path = std::filesystem::absolute(job.photos);
  config.sources.push_back(source);
  const auto all = corpus::Plan::make(config).read_items();
  if (all.empty()) base::fail(base::ExitCode::kInput, job.photos.string() + " holds no picture");
  const std::size_t count = std::min(all.size(), static_cast<std::size_t>(job.count));
  std::vector<corpus::Item> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

}  // namespace

evaluation::DistortionAgreement measure_agreement(const RunConfig& config, const AgreementJob& job,
                                                  const store::AnchorSet& anchors, encoder::Encoder& encoder,
                                                  const comm::Communicator& comm) {
  comm.together([&] {
    check_anchor_encoder(anchors, "\"" + anchors.name + "\"",
                         dataset::encoder_identity(encoder, config.decode), encoder.dimension(),
                         "the configuration's",
                         "Rebuild the anchors with this encoder, or configure the anchors'.");
  });
  constexpr int kShardSize = 256;
  dataset::DistortionRecipe recipe;
  recipe.seed = job.seed;
  const auto data =
      dataset::open_data_set({.run = config.run,
                              .settings = embed_settings(config, encoder, false),
                              .former = config.run.former_agreement(),
                              .items =
                                  [&] {
                                    return corpus::Plan::from_items(
                                        dataset::with_distortions(chosen_photos(job), recipe), kShardSize);
                                  }},
                             comm);
  embed_data_set(config, data, encoder, {.what = "agreement"}, comm);

  evaluation::DistortionAgreement agreement;
  comm.together([&] {
    const auto good = anchors::normalised(anchors.good, anchors.dimension);
    const auto bad = anchors::normalised(anchors.bad, anchors.dimension);
    const scoring::AnchorPairs pairs{good, bad, anchors.dimension};
    std::vector<double> pristine;
    std::vector<evaluation::DistortedScore> distorted;
    for (const auto& shard : data.plan().shards()) {
      const auto reader = data.open(shard, dataset::WrittenBy::kThisJob);
      std::vector<float> embeddings(reader.size() * anchors.dimension);
      reader.read_embeddings(0, reader.size(), embeddings);
      const auto rows = reader.read_rows(0, reader.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].status != base::RowStatus::kOk) {
          base::fail(base::ExitCode::kInput, rows[i].id + ": " + rows[i].error);
        }
        const double score = scoring::score_row(
            std::span(embeddings).subspan(i * anchors.dimension, anchors.dimension), pairs);
        const auto& distortion = rows[i].distortion;
        // A pristine picture comes before its copies.
        if (!distortion)
          pristine.push_back(score);
        else
          distorted.push_back({static_cast<int>(pristine.size()) - 1, static_cast<int>(distortion->kind),
                               distortion->level, score,
                               distort::leaves_unchanged(distortion->kind, distortion->level)});
      }
    }
    std::vector<double> human;
    for (const auto& info : distort::distortion_table()) {
      human.insert(human.end(), info.human_score.begin(), info.human_score.end());
    }
    agreement = evaluation::distortion_agreement(distorted, pristine, human);
  });
  return agreement;
}

}  // namespace quasar::pipeline
