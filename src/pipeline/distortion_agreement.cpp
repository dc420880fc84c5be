#include "pipeline/distortion_agreement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "anchors/aggregate.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/nearest_word.h"
#include "base/progress.h"
#include "corpus/plan.h"
#include "dataset/data_set.h"
#include "dataset/distorted_items.h"
#include "dataset/shard_encoder.h"
#include "dataset/shared_shards.h"
#include "distort/distortion_table.h"
#include "pipeline/anchor_check.h"
#include "pipeline/anchor_step.h"
#include "pipeline/embed_step.h"
#include "pipeline/folder_items.h"
#include "pipeline/picture_statistics.h"
#include "scoring/score.h"

namespace quasar::pipeline {
namespace {

/// What is embedded, and by what.
struct Work {
  const RunConfig& config;
  encoder::Encoder& encoder;
  std::string what;  ///< In logs.
  dataset::DataSet data;
};

/// The configuration with the sets that are measured, the one that was asked for first.
RunConfig with_sets(RunConfig config, const AgreementJob& job) {
  auto& sets = config.anchors;
  const auto chosen = std::ranges::find_if(
      sets, [&](const AnchorSource& set) { return job.anchors.empty() || set.name == job.anchors; });
  if (chosen == sets.end()) {
    std::vector<std::string> names;
    for (const auto& set : sets) names.push_back(set.name);
    base::fail(base::ExitCode::kUsage,
               fmt::format("--anchors: the configuration has no set {}{} There are: {}", job.anchors,
                           base::did_you_mean(job.anchors, names, "."), fmt::join(names, ", ")));
  }
  std::rotate(sets.begin(), chosen, std::next(chosen));
  if (!job.baselines) sets.resize(1);
  for (const auto& statistic : PictureStatistics::statistics()) {
    if (job.baselines && std::ranges::find(sets, statistic.name, &AnchorSource::name) != sets.end()) {
      base::fail(base::ExitCode::kConfig, "anchors." + statistic.name + ": with --baselines, \"" +
                                              statistic.name + "\" is " + statistic.what +
                                              "; the set needs another name");
    }
  }
  return config;
}

/// The configuration for what is measured without the run's encoder: the same for runs of every encoder.
RunConfig without_encoder(RunConfig config) {
  std::erase_if(config.identity, [](const auto& entry) { return entry.first.starts_with("encoder."); });
  config.encoder = {};
  return config;
}

std::vector<int> numbers_of(const std::vector<std::string>& kinds) {
  std::vector<int> numbers;
  for (const auto& name : kinds) {
    const auto kind = distort::find_kind(name);
    if (!kind) base::fail(base::ExitCode::kUsage, "--unseen: " + distort::no_such_kind(name));
    numbers.push_back(static_cast<int>(*kind));
  }
  return numbers;
}

/// As many items as are asked for, evenly spread over all of the folder's, with their copies.
std::vector<corpus::Item> photos_and_copies(const AgreementJob& job) {
  const auto all = items_of_folder(job.folder);
  if (all.empty()) base::fail(base::ExitCode::kInput, job.folder.string() + " holds no picture");
  std::vector<corpus::Item> chosen;
  for (const auto place : spread_evenly(all.size(), job.photos)) chosen.push_back(all[place]);
  dataset::DistortionRecipe recipe;
  recipe.seed = job.seed;
  auto items = dataset::with_distortions(chosen, recipe);
  base::log_info("distortions: {} of {} in {}, each with {} kinds x {} levels of copies: {} pictures",
                 chosen.size(), base::counted(all.size(), "photo"), job.folder.string(),
                 distort::kDistortionKinds, distort::kDistortionLevels, base::with_thousands(items.size()));
  return items;
}

dataset::DataSet opened(const RunConfig& config, const encoder::Encoder& encoder,
                        const std::vector<corpus::Item>& items, std::optional<store::DataSetLayout> former,
                        const comm::Communicator& comm) {
  constexpr int kShardSize = 256;
  return dataset::open_data_set({.run = config.run,
                                 .settings = embed_settings(config, encoder, false),
                                 .former = std::move(former),
                                 .items = [&] { return corpus::Plan::from_items(items, kShardSize); }},
                                comm);
}

/// Says what is to be done, and what it takes. For root.
void tell_cost(const Work& work) {
  std::optional<dataset::SharedShards> shared;
  if (!work.config.shared.empty())
    shared.emplace(work.config.shared, embed_settings(work.config, work.encoder, false));
  std::uint64_t here = 0;
  std::uint64_t elsewhere = 0;
  for (const auto& shard : work.data.plan().shards()) {
    if (work.data.has(shard))
      here += shard.count;
    else if (shared && shared->holds(shard))
      elsewhere += shard.count;
  }
  const std::uint64_t all = work.data.plan().item_count();
  const std::uint64_t left = all - here - elsewhere;
  const auto row_bytes = static_cast<std::uint64_t>(work.encoder.dimension()) * sizeof(float);
  base::log_info(
      "{}: {} of {} pictures are there already{}; {} to go through {} on {}, {} of vectors on disk{}",
      work.what, base::with_thousands(here), base::with_thousands(all),
      elsewhere == 0 ? "" : fmt::format(", {} of other runs", base::with_thousands(elsewhere)),
      base::with_thousands(left), work.encoder.identity().architecture, work.encoder.device(),
      base::human_bytes(left * row_bytes),
      left == 0 ? "" : "; how long it takes is known after the first of them");
}

/// Rows in the order of the plan.
struct Measured {
  std::vector<base::RowStatus> status;  ///< The first one that is not ok, of all data sets.
  std::vector<std::optional<distort::Distortion>> distortions;
  std::vector<std::vector<double>> scores;  ///< By scorer.
};

using Scorer = std::function<double(std::span<const float> values)>;

/// Adds what each scorer says of every row of a data set. A status that is not ok is logged once.
void add_scores(const Work& work, const std::vector<Scorer>& scorers, Measured& measured) {
  const auto dimension = static_cast<std::size_t>(work.encoder.dimension());
  const auto rows_of_all = static_cast<std::size_t>(work.data.plan().item_count());
  const std::size_t first_scorer = measured.scores.size();
  measured.scores.resize(first_scorer + scorers.size(), std::vector<double>(rows_of_all));
  measured.status.resize(rows_of_all, base::RowStatus::kOk);
  measured.distortions.resize(rows_of_all);
  std::set<base::RowStatus> told;
  std::size_t at = 0;
  for (const auto& shard : work.data.plan().shards()) {
    const auto reader = work.data.open(shard, dataset::WrittenBy::kThisJob);
    std::vector<float> values(reader.size() * dimension);
    reader.read_embeddings(0, reader.size(), values);
    const auto rows = reader.read_rows(0, reader.size());
    for (std::size_t i = 0; i < rows.size(); ++i, ++at) {
      measured.distortions[at] = rows[i].distortion;
      if (rows[i].status != base::RowStatus::kOk) {
        if (measured.status[at] == base::RowStatus::kOk) measured.status[at] = rows[i].status;
        if (told.insert(rows[i].status).second) {
          base::log_warning("{}: {}: {}; its photo is left out, as are others that are {}", work.what,
                            rows[i].id, rows[i].error, base::status_name(rows[i].status));
        }
        continue;
      }
      for (std::size_t s = 0; s < scorers.size(); ++s)
        measured.scores[first_scorer + s][at] =
            scorers[s](std::span(values).subspan(i * dimension, dimension));
    }
  }
}

/// Why a row cannot be measured; empty: it can.
std::string fault_of(const Measured& measured, std::size_t row) {
  if (measured.status[row] != base::RowStatus::kOk)
    return fmt::format("photo or copy is {}", base::status_name(measured.status[row]));
  const bool scored = std::ranges::all_of(
      measured.scores, [row](const std::vector<double>& scores) { return std::isfinite(scores[row]); });
  return scored ? "" : "photo or copy has no score, as its embedding is zero";
}

/// The number of each row's photo among those that are measured with all their copies; -1: left out. A
/// pristine picture comes before its copies.
std::vector<int> photo_numbers(const Measured& measured, evaluation::AgreementReport& report) {
  std::vector<int> numbers(measured.status.size(), -1);
  std::size_t begin = 0;
  while (begin < numbers.size()) {
    auto fault = fault_of(measured, begin);
    std::size_t end = begin + 1;
    for (; end < numbers.size() && measured.distortions[end]; ++end) {
      if (fault.empty()) fault = fault_of(measured, end);
    }
    if (fault.empty()) {
      std::fill(numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                numbers.begin() + static_cast<std::ptrdiff_t>(end), static_cast<int>(report.photos));
      ++report.photos;
      report.copies += end - begin - 1;
    } else {
      ++report.left_out[fault];
    }
    begin = end;
  }
  if (report.photos == 0) {
    std::string why;
    for (const auto& [reason, count] : report.left_out) why += fmt::format("; {} {}", count, reason);
    base::fail(base::ExitCode::kNoResult, "not one photo could be measured with its copies" + why);
  }
  return numbers;
}

evaluation::DistortionAgreement agreement_of(const Measured& measured, const std::vector<double>& scores,
                                             const std::vector<int>& photos) {
  std::vector<double> pristine;
  std::vector<evaluation::DistortedScore> distorted;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (photos[i] < 0) continue;
    if (const auto& distortion = measured.distortions[i]) {
      distorted.push_back({photos[i], static_cast<int>(distortion->kind), distortion->level, scores[i],
                           distort::leaves_unchanged(distortion->kind, distortion->level)});
    } else {
      pristine.push_back(scores[i]);
    }
  }
  std::vector<double> human;
  for (const auto& info : distort::distortion_table())
    human.insert(human.end(), info.human_score.begin(), info.human_score.end());
  return evaluation::distortion_agreement(distorted, pristine, human);
}

/// A score for each set. The sets outlive them.
std::vector<Scorer> scorers_of(const std::vector<store::AnchorSet>& sets) {
  std::vector<Scorer> scorers;
  for (const auto& set : sets) {
    scorers.emplace_back([good = anchors::normalised(set.good, set.dimension),
                          bad = anchors::normalised(set.bad, set.dimension),
                          dimension = set.dimension](std::span<const float> embedding) {
      return static_cast<double>(scoring::score_row(embedding, {good, bad, dimension}));
    });
  }
  return scorers;
}

std::vector<Scorer> scorers_of_statistics() {
  std::vector<Scorer> scorers;
  for (std::size_t i = 0; i < PictureStatistics::statistics().size(); ++i)
    scorers.emplace_back([i](std::span<const float> values) { return static_cast<double>(values[i]); });
  return scorers;
}

}  // namespace

evaluation::AgreementReport measure_agreement(const RunConfig& configured, const AgreementJob& job,
                                              encoder::Encoder& encoder, const comm::Communicator& comm) {
  evaluation::AgreementReport report;
  RunConfig config;
  comm.together([&] {
    report.unseen = numbers_of(job.unseen);
    config = with_sets(configured, job);
  });
  report.seed = job.seed;
  for (const auto& info : distort::distortion_table()) report.kinds.emplace_back(info.name);
  check_anchor_files(config, encoder, comm);

  std::vector<corpus::Item> items;
  comm.on_root([&] { items = photos_and_copies(job); });
  std::vector<Work> works;
  works.push_back(
      {config, encoder, "distortions", opened(config, encoder, items, config.run.former_agreement(), comm)});
  PictureStatistics statistics;
  const auto plain = without_encoder(config);
  if (job.baselines)
    works.push_back({plain, statistics, "baselines", opened(plain, statistics, items, {}, comm)});
  comm.on_root([&] {
    for (const auto& work : works) tell_cost(work);
    for (const auto& set : config.anchors) {
      if (set.corpus) base::log_info("anchors {}: built first, where they are not yet", set.name);
    }
  });

  const auto sets = anchor_step(config, &encoder, comm);
  comm.together([&] {
    for (const auto& set : sets) {
      check_anchor_encoder(set, "\"" + set.name + "\"", dataset::encoder_identity(encoder, config.decode),
                           encoder.dimension(), "the configuration's",
                           "Rebuild the anchors with this encoder, or configure the anchors'.");
    }
  });
  for (const auto& work : works)
    embed_data_set(work.config, work.data, work.encoder, {.what = work.what}, comm);

  comm.on_root([&] {
    Measured measured;
    add_scores(works.front(), scorers_of(sets), measured);
    if (job.baselines) add_scores(works.back(), scorers_of_statistics(), measured);
    for (const auto& set : sets) {
      report.scorers.push_back({set.name, "anchors, by the encoder " + encoder.identity().architecture, {}});
    }
    if (job.baselines) {
      for (const auto& [name, what] : PictureStatistics::statistics())
        report.scorers.push_back({name, what, {}});
    }
    const auto photos = photo_numbers(measured, report);
    for (std::size_t s = 0; s < report.scorers.size(); ++s)
      report.scorers[s].agreement = agreement_of(measured, measured.scores[s], photos);
  });
  return report;
}

}  // namespace quasar::pipeline
