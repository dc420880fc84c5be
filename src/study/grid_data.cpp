#include "study/grid_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "dataset/distorted_items.h"
#include "dataset/shard_encoder.h"
#include "distort/distortion_table.h"
#include "pipeline/anchor_check.h"
#include "pipeline/embed_step.h"
#include "pipeline/text_anchors.h"
#include "pipeline/vector_anchors.h"

namespace quasar::study {
namespace {

corpus::Plan list_anchors(const pipeline::AnchorSource& source) {
  auto plan = corpus::Plan::make(*source.corpus);
  if (!source.distortions) return plan;
  return corpus::Plan::from_items(dataset::with_distortions(plan.read_items(), *source.distortions),
                                  source.corpus->shard_size);
}

corpus::Plan list_corpus(const Cell& cell) {
  auto plan = corpus::Plan::make(cell.config.corpus);
  if (!cell.rated_copies) return plan;
  constexpr double kImperceptible = 5;
  auto items = dataset::with_distortions(plan.read_items(), *cell.rated_copies);
  for (auto& item : items) {
    item.label = kImperceptible;
    if (!item.distortion) continue;
    const auto& kind = distort::info_of(item.distortion->kind);
    item.label = kind.human_score[static_cast<std::size_t>(item.distortion->level) - 1];
  }
  return corpus::Plan::from_items(items, cell.config.corpus.shard_size);
}

void check_rated(const corpus::Plan& plan, const std::string& cell) {
  std::size_t rated = 0;
  for (const auto& shard : plan.shards()) {
    for (const auto& item : plan.read_items(shard)) rated += item.label && std::isfinite(*item.label) ? 1 : 0;
    if (rated >= kLeastRated) return;
  }
  base::fail(base::ExitCode::kInput,
             fmt::format("{}: the corpus holds {} with a label, and scores are compared with labels "
                         "(label_column, or a benchmark); at least {} are needed",
                         cell, base::counted(rated, "picture"), kLeastRated));
}

/// The speed that was measured when a data set was embedded.
double read_speed(const std::filesystem::path& file) {
  std::ifstream stream(file);
  const auto object = nlohmann::json::parse(stream, nullptr, false);
  return object.is_object() ? object.value("pictures_per_second", 0.0) : 0.0;
}

}  // namespace

GridDraft::GridDraft(const StudyConfig& config, const comm::Communicator& comm) : config_(config) {
  list(comm);
  open_encoders(comm);
  tell_cost(comm);
}

const corpus::Plan& GridDraft::plan(const Cell& cell, bool of_anchors) const {
  return plans_.at(of_anchors ? cell.anchor_data : cell.corpus);
}

void GridDraft::list(const comm::Communicator& comm) {
  const base::Phase phase("plan");
  comm.on_root([&] {
    for (const auto& cell : config_.cells) {
      const auto name = config_.name + " (" + describe(config_, cell) + ")";
      if (!plans_.contains(cell.corpus)) {
        const auto& plan = plans_.emplace(cell.corpus, list_corpus(cell)).first->second;
        for (const auto& [reason, count] : plan.left_out())
          base::log_info("{}: left out of the corpus: {} ({})", name, count, reason);
        check_rated(plan, name);
      }
      if (cell.anchor_data.empty() || plans_.contains(cell.anchor_data)) continue;
      if (plans_.emplace(cell.anchor_data, list_anchors(cell.anchors())).first->second.item_count() == 0)
        base::fail(base::ExitCode::kInput, name + ": the anchor data holds no image");
    }
  });
}

void GridDraft::open_encoders(const comm::Communicator& comm) {
  for (const auto& cell : config_.cells) {
    if (embedders_.contains(cell.embedder)) continue;
    const auto encoder = pipeline::open_encoder(cell.config, comm);
    embedders_[cell.embedder] = {dataset::encoder_identity(*encoder, cell.config.decode),
                                 static_cast<std::size_t>(encoder->dimension())};
    for (const auto& other : config_.cells)
      if (other.embedder == cell.embedder) pipeline::check_anchor_files(other.config, *encoder, comm);
  }
}

void GridDraft::tell_cost(const comm::Communicator& comm) const {
  comm.on_root([&] {
    std::set<std::pair<std::string, std::string>> told;
    std::uint64_t pictures = 0;
    for (const auto& cell : config_.cells) {
      for (const auto* key : {&cell.corpus, &cell.anchor_data}) {
        if (!key->empty() && told.insert({cell.embedder, *key}).second)
          pictures += plans_.at(*key).item_count();
      }
    }
    base::log_info(
        "the study has {}, {} ({} left out by exclude), over {} data sets of {} encoders: {} to embed, "
        "less what is there already",
        base::counted(config_.cells.size(), "cell"),
        base::counted(static_cast<std::uint64_t>(config_.draws), "draw"), config_.excluded, told.size(),
        embedders_.size(), base::counted(pictures, "picture"));
  });
}

GridData GridDraft::make(const comm::Communicator& comm) const {
  GridData grid;
  grid.embedders = embedders_;
  for (const auto& [embedder, opened] : embedders_) {
    std::unique_ptr<encoder::Encoder> encoder;
    for (std::size_t place = 0; place < config_.cells.size(); ++place) {
      const auto& cell = config_.cells[place];
      if (cell.embedder != embedder) continue;
      if (!encoder) encoder = pipeline::open_encoder(cell.config, comm);
      for (const bool of_anchors : {false, true}) {
        const auto& key = of_anchors ? cell.anchor_data : cell.corpus;
        if (key.empty() || grid.sets.contains({embedder, key})) continue;
        auto data = dataset::open_data_set(
            {.run = cell.config.run,
             .settings = pipeline::embed_settings(cell.config, *encoder, cell.config.half),
             .former = cell.config.run.former_anchor_data(cell.anchors().name),
             .items = [&] { return plan(cell, of_anchors); }},
            comm);
        const auto begin = std::chrono::steady_clock::now();
        const auto statistics = pipeline::embed_data_set(
            cell.config, data, *encoder,
            {.what = (of_anchors ? "anchors of " : "") + describe(config_, cell), .half = cell.config.half},
            comm);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        const auto file = data.files().folder() / "speed.json";
        comm.on_root([&] {
          // Of whole passes alone: what was found finished was not timed.
          if (statistics.embedded_now == statistics.rows && statistics.rows > 0)
            base::write_file_atomically(
                file, nlohmann::json({{"pictures_per_second",
                                       static_cast<double>(statistics.rows) / std::max(1e-9, took.count())},
                                      {"ranks", comm.size()}})
                          .dump(1));
        });
        grid.sets.emplace(std::pair(embedder, key), EmbeddedSet{std::move(data), read_speed(file)});
      }
      const auto& source = cell.anchors();
      if (source.from_prompts() || source.from_vectors() || !source.file.empty()) {
        comm.together([&] {
          if (!source.file.empty()) grid.ready[place] = store::read_anchor_file(source.file);
          if (source.from_vectors())
            grid.ready[place] = pipeline::read_vector_anchors(cell.config, source, *encoder);
        });
        if (source.from_prompts())
          grid.ready[place] = pipeline::build_text_anchors(cell.config, source, *encoder, comm);
      }
    }
  }
  return grid;
}

}  // namespace quasar::study
