#include "pipeline/build_anchors.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/logging.h"
#include "base/progress.h"
#include "corpus/plan.h"
#include "pipeline/distorted_items.h"
#include "pipeline/embed.h"
#include "pipeline/embedding_rows.h"
#include "pipeline/memory_plan.h"
#include "pipeline/stop_signal.h"

namespace quasar::pipeline {
namespace {

/// The frozen plan of the anchor data; another corpus in the configuration starts a new folder.
corpus::Plan anchor_plan(const AnchorSource& source, const std::filesystem::path& folder,
                         const comm::Communicator& comm) {
  comm.on_root([&] {
    auto plan = corpus::Plan::make(*source.corpus);
    if (source.distortions) {
      std::vector<corpus::Item> pristine;
      for (const auto& shard : plan.shards()) {
        auto items = plan.read_items(shard);
        pristine.insert(pristine.end(), std::make_move_iterator(items.begin()),
                        std::make_move_iterator(items.end()));
      }
      plan = corpus::Plan::from_items(with_distortions(pristine, *source.distortions),
                                      source.corpus->shard_size);
    }
    if (plan.item_count() == 0) {
      base::fail(base::ExitCode::kInput, "the anchor data of \"" + source.name + "\" holds no image");
    }
    if (std::filesystem::exists(folder / "plan.json") &&
        corpus::Plan::load(folder).fingerprint() != plan.fingerprint()) {
      base::log_info("the anchor data of \"{}\" has changed: it is embedded anew", source.name);
      std::filesystem::remove_all(folder);
    }
    base::make_directories(folder);
    if (!std::filesystem::exists(folder / "plan.json")) plan.save(folder);
  });
  std::optional<corpus::Plan> plan;
  comm.together([&] { plan.emplace(corpus::Plan::load(folder)); });
  return *std::move(plan);
}

/// What the split needs of every row, on every rank.
std::vector<anchors::LabelledRow> labelled_rows(const corpus::Plan& plan,
                                                const std::filesystem::path& folder) {
  std::vector<anchors::LabelledRow> rows;
  rows.reserve(plan.item_count());
  for (const auto& shard : plan.shards()) {
    const store::EmbeddingShardReader reader(shard_path(folder, shard.id));
    std::int64_t number = static_cast<std::int64_t>(shard.first);
    for (const auto& record : reader.read_rows(0, reader.size())) {
      anchors::LabelledRow row;
      row.number = number++;
      row.label = record.label;
      row.image = record.id;
      row.reference = record.group;
      row.usable = record.status == base::RowStatus::kOk;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

anchors::AnchorSplit split(const AnchorSource& source, std::vector<anchors::LabelledRow> rows) {
  if (source.recipe.kind == anchors::AnchorKind::kFullReference) {
    return anchors::split_full_reference(rows, source.recipe.ratio, source.recipe.seed);
  }
  for (const auto& row : rows) {
    if (row.usable && !std::isfinite(row.label)) {
      base::fail(base::ExitCode::kInput, "anchor set \"" + source.name + "\": the image " + row.image +
                                             " has no label, which no-reference anchors need (label_column)");
    }
  }
  return anchors::split_no_reference(rows, source.recipe.offset, source.recipe.ratio, source.recipe.seed);
}

/// Where k-means keeps its state: a name of its own for each recipe, data and encoder, so that a set built
/// otherwise never meets the state of another.
std::filesystem::path checkpoint_prefix(const std::filesystem::path& folder, const AnchorSource& source,
                                        const corpus::Plan& plan, const store::EncoderIdentity& encoder) {
  const std::string all = source.recipe_text + "\n" + plan.fingerprint() + "\n" + encoder.describe();
  return folder / ("clusters-" + base::xxh128_hex(std::as_bytes(std::span(all))).substr(0, 16));
}

void log_iteration(const std::string& side, int iteration, const cluster::IterationStatistics& statistics) {
  base::log_info("k-means, {} side, iteration {}: objective {:.6g}, imbalance {:.3f}, {} empty clusters",
                 side, iteration, statistics.objective, statistics.imbalance, statistics.empty);
}

}  // namespace

store::AnchorSet build_anchors(const RunConfig& config, const AnchorSource& source, encoder::Encoder& encoder,
                               const comm::Communicator& comm) {
  const auto folder = config.run / "anchors" / source.name;
  const auto plan = anchor_plan(source, folder, comm);
  const auto statistics = embed({plan, folder, encoder, config.decode, config.embed,
                                 config.encoder.batch_size, false, "anchors " + source.name},
                                comm);
  store::AnchorSet set;
  std::vector<anchors::LabelledRow> rows;
  anchors::AnchorSplit chosen;
  const auto dimension = static_cast<std::size_t>(encoder.dimension());
  comm.together([&] {
    rows = labelled_rows(plan, folder);
    chosen = split(source, rows);
  });
  EmbeddingRows held(folder, shards_of_rank(plan, comm.rank(), comm.size()), dimension);
  anchors::AggregateRuntime runtime;
  runtime.report = log_iteration;
  runtime.checkpoint_prefix =
      checkpoint_prefix(folder, source, plan, encoder_identity(encoder, config.decode));
  runtime.stop_requested = stop_requested;
  const auto& recipe = source.recipe.aggregate;
  runtime.memory_bytes = kmeans_limit(
      config, dimension, recipe.aggregation == anchors::Aggregation::kMean ? 1 : recipe.kmeans.k, comm);
  const auto centroids = anchors::aggregate(held, chosen, source.recipe.aggregate, comm, runtime);
  set.name = source.name;
  set.good = centroids.good;
  set.bad = centroids.bad;
  set.dimension = dimension;
  set.encoder = encoder_identity(encoder, config.decode);
  set.recipe = source.recipe_text;
  set.counts = {
      {"rows", static_cast<std::int64_t>(rows.size())},
      {"rows_failed", std::count_if(rows.begin(), rows.end(), [](const auto& row) { return !row.usable; })},
      {"good_before_ratio", chosen.good_before},
      {"bad_before_ratio", chosen.bad_before},
      {"good", centroids.good_rows},
      {"bad", centroids.bad_rows},
      {"rows_not_finite", centroids.rows_not_finite}};
  if (source.recipe.kind == anchors::AnchorKind::kNoReference) {
    double low = rows.front().label;
    double high = low;
    for (const auto& row : rows) {
      low = std::min(low, row.label);
      high = std::max(high, row.label);
    }
    set.statistics = {{"label_median", chosen.median}, {"label_min", low}, {"label_max", high}};
  }
  comm.on_root([&] {
    store::write_anchor_file(config.run / "anchors" / (source.name + ".h5"), set);
    anchors::remove_checkpoints(runtime.checkpoint_prefix);
  });
  if (comm.is_root()) {
    base::log_info("anchors {}: {} good and {} bad images of {}, {} pairs, in {}", source.name,
                   base::with_thousands(static_cast<std::uint64_t>(centroids.good_rows)),
                   base::with_thousands(static_cast<std::uint64_t>(centroids.bad_rows)),
                   base::with_thousands(statistics.rows), centroids.pairs(),
                   (config.run / "anchors" / (source.name + ".h5")).string());
  }
  return set;
}

}  // namespace quasar::pipeline
