#include "pipeline/build_anchors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "anchors/bootstrap.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/logging.h"
#include "base/packer.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "base/unpacker.h"
#include "corpus/plan.h"
#include "dataset/data_set.h"
#include "dataset/distorted_items.h"
#include "dataset/embedding_rows.h"
#include "dataset/shard_encoder.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"
#include "scoring/score.h"

namespace quasar::pipeline {
namespace {

/// The items of the anchor data.
corpus::Plan anchor_items(const AnchorSource& source) {
  auto plan = corpus::Plan::make(*source.corpus);
  if (source.distortions) {
    plan = corpus::Plan::from_items(dataset::with_distortions(plan.read_items(), *source.distortions),
                                    source.corpus->shard_size);
  }
  if (plan.item_count() == 0) {
    base::fail(base::ExitCode::kInput, "the anchor data of \"" + source.name + "\" holds no image");
  }
  return plan;
}

/// What the split needs of every row, on every rank: numbers and keys of names, not their texts.
std::vector<anchors::LabelledRow> labelled_rows(const dataset::DataSet& data) {
  std::vector<anchors::LabelledRow> rows;
  rows.reserve(data.plan().item_count());
  data.for_each_row(dataset::WrittenBy::kThisJob, [&](std::int64_t number, const store::RowRecord& row) {
    rows.push_back({number, row.label, row.id, row.reference, row.status == base::RowStatus::kOk});
  });
  return rows;
}

/// A row's texts, read again where an error needs them.
std::string name_of(const dataset::DataSet& data, std::int64_t number) {
  const auto& shard = data.shard_of(number);
  const auto row = data.open(shard, dataset::WrittenBy::kThisJob, store::Integrity::kRows)
                       .read_rows(static_cast<std::uint64_t>(number) - shard.first, 1)
                       .front();
  return "the image " + row.id + (row.reference.empty() ? "" : " (of \"" + row.reference + "\")");
}

anchors::AnchorSplit split(const AnchorSource& source, const std::vector<anchors::LabelledRow>& rows,
                           const anchors::RowName& name_of_row) {
  if (source.recipe.kind == anchors::AnchorKind::kFullReference) {
    return anchors::split_full_reference(rows, source.recipe.ratio, source.recipe.seed, name_of_row);
  }
  return anchors::split_no_reference(rows, source.recipe.offset, source.recipe.ratio, source.recipe.seed);
}

/// Takes rows without a label out of those that no-reference anchors are made of; their count. Throws
/// Error(kInput) where none has one.
std::int64_t drop_unlabelled(const AnchorSource& source, std::vector<anchors::LabelledRow>& rows,
                             const anchors::RowName& name_of_row) {
  const auto unlabelled = [](const auto& row) { return row.usable && !std::isfinite(row.label); };
  const auto count = std::count_if(rows.begin(), rows.end(), unlabelled);
  if (count == 0) return 0;
  if (count == std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.usable; })) {
    base::fail(base::ExitCode::kInput,
               "anchor set \"" + source.name + "\": no image has a label, " +
                   name_of_row(std::find_if(rows.begin(), rows.end(), unlabelled)->number) +
                   " to begin with; no-reference anchors need them (label_column)");
  }
  for (auto& row : rows) row.usable = row.usable && !unlabelled(row);
  return count;
}

/// Rows that are drawn together: a picture with all that was made from it.
std::vector<std::uint64_t> draw_units(const std::vector<anchors::LabelledRow>& rows,
                                      const std::vector<std::int64_t>& chosen) {
  std::vector<std::uint64_t> units;
  units.reserve(chosen.size());
  for (const auto number : chosen) {
    const auto& row = rows[static_cast<std::size_t>(number)];
    units.push_back((row.reference.empty() ? row.image : row.reference).low);
  }
  return units;
}

/// The choice of rows, with the counts and statistics of the labels that go into the anchor file.
anchors::AnchorSplit choose_rows(const AnchorSource& source, const dataset::DataSet& data,
                                 store::AnchorSet& set, anchors::DrawUnits& units) {
  auto rows = labelled_rows(data);
  const auto failed = std::count_if(rows.begin(), rows.end(), [](const auto& row) { return !row.usable; });
  const auto row_name = [&](std::int64_t number) { return name_of(data, number); };
  const bool by_label = source.recipe.kind == anchors::AnchorKind::kNoReference;
  const std::int64_t unlabelled = by_label ? drop_unlabelled(source, rows, row_name) : 0;
  auto chosen = split(source, rows, row_name);
  set.counts = {{"rows", static_cast<std::int64_t>(rows.size())},
                {"rows_failed", failed},
                {"good_before_ratio", chosen.good_before},
                {"bad_before_ratio", chosen.bad_before}};
  if (unlabelled > 0) set.counts["rows_without_label"] = unlabelled;
  if (by_label) {
    // Some rows of failed images have no label.
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const auto& row : rows) {
      if (!row.usable) continue;
      low = std::min(low, row.label);
      high = std::max(high, row.label);
    }
    set.statistics = {{"label_median", chosen.median}, {"label_min", low}, {"label_max", high}};
  }
  if (source.recipe.uncertainty.draws > 0)
    units = {draw_units(rows, chosen.good), draw_units(rows, chosen.bad)};
  return chosen;
}

/// Where k-means keeps its state: a name of its own for each recipe, data and encoder, so that a set built
/// otherwise never meets the state of another.
std::filesystem::path checkpoint_prefix(const dataset::DataSet& data, const AnchorSource& source,
                                        const base::EncoderIdentity& encoder) {
  const std::string all = source.recipe_text + "\n" + data.plan().fingerprint() + "\n" + encoder.describe();
  return data.files().kmeans_state(base::xxh128_hex(std::as_bytes(std::span(all))).substr(0, 16));
}

/// Clusters of both sides, and the cosine to the nearest of them below which an embedding is unlike the
/// anchors. Collective.
void find_neighbours(const AnchorSource& source, const anchors::AnchorSplit& chosen, cluster::RowSource& rows,
                     anchors::AggregateRuntime runtime, const comm::Communicator& comm,
                     store::AnchorSet& set) {
  anchors::AggregateConfig config;
  config.aggregation = anchors::Aggregation::kMulti;
  config.kmeans = source.recipe.aggregate.kmeans;
  config.kmeans.k =
      static_cast<int>(std::min({static_cast<std::size_t>(source.recipe.out_of_distribution.clusters),
                                 chosen.good.size(), chosen.bad.size()}));
  runtime.report = {};
  runtime.checkpoint_prefix.clear();
  const auto clusters = anchors::aggregate(rows, chosen, config, comm, runtime);
  set.neighbours = clusters.good_clusters;
  set.neighbours.insert(set.neighbours.end(), clusters.bad_clusters.begin(), clusters.bad_clusters.end());
  std::string mine;
  comm.together([&] {
    for (const auto* side : {&chosen.good, &chosen.bad}) {
      anchors::for_each_chosen(rows, *side, [&](std::span<const float> row, std::int64_t) {
        base::pack(scoring::nearest_cosine(row, set.neighbours), mine);
      });
    }
  });
  std::vector<double> cosines;
  for (const auto& part : comm.all_gather(mine)) {
    base::Unpacker unpacker(part, "cosines of anchors");
    while (!unpacker.done()) cosines.push_back(unpacker.take<double>());
  }
  std::erase_if(cosines, [](double cosine) { return std::isnan(cosine); });
  if (cosines.empty()) base::fail(base::ExitCode::kInput, "no anchor has a direction");
  std::sort(cosines.begin(), cosines.end());
  const double place =
      source.recipe.out_of_distribution.percentile / 100.0 * static_cast<double>(cosines.size());
  set.nearness_floor = cosines[std::min(cosines.size() - 1, static_cast<std::size_t>(place))];
}

void log_iteration(const std::string& side, int iteration, const cluster::IterationStatistics& statistics) {
  base::log_info("k-means, {} side, iteration {}: objective {:.6g}, imbalance {:.3f}, {} empty clusters",
                 side, iteration, statistics.objective, statistics.imbalance, statistics.empty);
}

/// The set in `file`, if it was built of this data by this recipe. Collective.
std::optional<store::AnchorSet> built_before(const std::filesystem::path& file, const std::string& recipe,
                                             const base::EncoderIdentity& encoder,
                                             const comm::Communicator& comm) {
  std::optional<store::AnchorSet> set;
  comm.together([&] {
    if (!std::filesystem::exists(file)) return;
    try {
      auto found = store::read_anchor_file(file);
      if (found.recipe == recipe && found.encoder == encoder) set = std::move(found);
    } catch (const base::Error& error) {
      if (comm.is_root()) base::log_warning("{}: it is built anew", error.what());
    }
  });
  if (comm.all_reduce(std::int64_t{set ? 1 : 0}, comm::Reduction::kMin) == 0) return {};
  if (comm.is_root()) base::log_info("anchors {}: built before, in {}", set->name, file.string());
  return set;
}

}  // namespace

store::AnchorSet build_anchors(const RunConfig& config, const AnchorSource& source, encoder::Encoder& encoder,
                               const comm::Communicator& comm) {
  const auto identity = dataset::encoder_identity(encoder, config.decode);
  const auto data = dataset::open_data_set({.run = config.run,
                                            .settings = embed_settings(config, encoder, false),
                                            .former = config.run.former_anchor_data(source.name),
                                            .items = [&] { return anchor_items(source); }},
                                           comm);
  const auto& plan = data.plan();
  const auto statistics = embed_data_set(config, data, encoder, {.what = "anchors " + source.name}, comm);
  const auto file = config.run.anchor_file(source.name);
  const auto built_by = source.recipe_text + "\n# data " + plan.fingerprint();
  if (auto built = built_before(file, built_by, identity, comm)) return *std::move(built);
  store::AnchorSet set;
  anchors::AnchorSplit chosen;
  anchors::DrawUnits units;
  const auto dimension = static_cast<std::size_t>(encoder.dimension());
  comm.together([&] { chosen = choose_rows(source, data, set, units); });
  dataset::EmbeddingRows held(data, data.shards_of_rank(comm.rank(), comm.size()), dimension);
  anchors::AggregateRuntime runtime;
  runtime.report = log_iteration;
  runtime.checkpoint_prefix = checkpoint_prefix(data, source, identity);
  runtime.stop_requested = base::stop_requested;
  const auto& recipe = source.recipe.aggregate;
  runtime.memory_bytes = kmeans_limit(
      config, dimension, recipe.aggregation == anchors::Aggregation::kMean ? 1 : recipe.kmeans.k, comm);
  const auto centroids = anchors::aggregate(held, chosen, source.recipe.aggregate, comm, runtime);
  const auto pairs = static_cast<std::int64_t>(centroids.good.size() / dimension);
  if (source.recipe.aggregate.aggregation == anchors::Aggregation::kMulti && comm.is_root() &&
      pairs < source.recipe.aggregate.kmeans.k) {
    base::log_warning("anchors \"{}\": {} pairs of the {} asked for, as clusters of one side have no members",
                      source.name, pairs, source.recipe.aggregate.kmeans.k);
  }
  if (source.recipe.uncertainty.draws > 0) {
    auto drawn = anchors::draw_centroids(held, chosen, units, centroids, recipe.aggregation,
                                         source.recipe.uncertainty, comm);
    set.good_draws = std::move(drawn.good);
    set.bad_draws = std::move(drawn.bad);
  }
  if (source.recipe.out_of_distribution.clusters > 0)
    find_neighbours(source, chosen, held, runtime, comm, set);
  set.name = source.name;
  set.good = centroids.good;
  set.bad = centroids.bad;
  set.dimension = dimension;
  set.encoder = identity;
  set.recipe = built_by;
  set.counts["good"] = centroids.good_rows;
  set.counts["bad"] = centroids.bad_rows;
  set.counts["rows_not_finite"] = centroids.rows_not_finite;
  comm.on_root([&] {
    base::make_directories(config.run.anchors());
    store::write_anchor_file(file, set);
    anchors::remove_checkpoints(runtime.checkpoint_prefix);
  });
  if (comm.is_root()) {
    base::log_info("anchors {}: {} good and {} bad images of {}, {} pairs, in {}", source.name,
                   base::with_thousands(static_cast<std::uint64_t>(centroids.good_rows)),
                   base::with_thousands(static_cast<std::uint64_t>(centroids.bad_rows)),
                   base::with_thousands(statistics.rows), centroids.pairs(), file.string());
  }
  return set;
}

}  // namespace quasar::pipeline
