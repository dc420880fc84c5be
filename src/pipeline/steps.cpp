#include "pipeline/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/version.h"
#include "cluster/library_version.h"
#include "encoder/encoder_config.h"
#include "image/vips_environment.h"
#include "pipeline/build_anchors.h"
#include "pipeline/memory_plan.h"
#include "pipeline/text_anchors.h"
#include "scoring/score.h"
#include "store/inspect.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kIdentityFile = "identity.json";
constexpr std::size_t kRowsPerBlock = 4096;

/// Refuses a configuration that would give other embeddings than those the run directory holds.
void check_identity(const RunConfig& config) {
  const auto path = config.run / kIdentityFile;
  nlohmann::json wanted = config.identity;
  if (!std::filesystem::exists(path)) {
    base::write_file_atomically(path, wanted.dump(1) + "\n");
    return;
  }
  const auto found = nlohmann::json::parse(base::read_file(path), nullptr, false);
  if (!found.is_object())
    base::fail(base::ExitCode::kInput, path.string() + " is damaged: it is no JSON object");
  std::string differences;
  for (const auto& [key, value] : wanted.items()) {
    if (found.contains(key) && found[key] == value) continue;
    differences += fmt::format("\n  {}: the run has {}, the configuration {}", key,
                               found.contains(key) ? found[key].dump() : "nothing", value.dump());
  }
  if (!differences.empty()) {
    base::fail(
        base::ExitCode::kMismatch,
        fmt::format(
            "the run directory {} was begun with other settings; use another run directory, or set back:{}",
            config.run.string(), differences));
  }
}

std::filesystem::path score_path(const std::filesystem::path& run, int shard) {
  return run / "scores" / fmt::format("shard-{:06}.h5", shard);
}

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
    if (set.encoder == header.encoder && set.dimension == static_cast<std::size_t>(header.dimension))
      continue;
    base::fail(
        base::ExitCode::kMismatch,
        fmt::format(
            "the anchor set \"{}\" belongs to another encoder ({}; {} dimensions) than the embeddings in "
            "{} ({}; {} dimensions): scores between them would mean nothing. Rebuild the anchors with "
            "the run's encoder, or embed with the anchors'.",
            set.name, set.encoder.describe(), set.dimension, shard.string(), header.encoder.describe(),
            header.dimension));
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

/// The frozen plan, on every rank.
corpus::Plan load_plan(const RunConfig& config, const comm::Communicator& comm) {
  std::optional<corpus::Plan> plan;
  comm.together([&] { plan.emplace(corpus::Plan::load(config.run)); });
  return *std::move(plan);
}

void report_plan(const RunConfig& config, const corpus::Plan& plan, const comm::Communicator& comm) {
  if (!comm.is_root()) return;
  base::log_info("{} images in {} shards, {} ranks, run directory {}",
                 base::with_thousands(plan.item_count()), plan.shards().size(), comm.size(),
                 config.run.string());
  for (const auto& [reason, count] : plan.left_out())
    base::log_info("left out of the corpus: {} ({})", count, reason);
}

}  // namespace

corpus::Plan open_run(const RunConfig& config, const comm::Communicator& comm) {
  comm.on_root([&] {
    base::make_directories(config.run);
    check_identity(config);
    if (!std::filesystem::exists(config.run / "plan.json")) {
      const auto plan = corpus::Plan::make(config.corpus);
      if (plan.item_count() == 0) {
        std::string left_out;
        for (const auto& [reason, count] : plan.left_out())
          left_out += fmt::format("; left out: {} {}", count, reason);
        base::fail(base::ExitCode::kInput, "the corpus holds no image" + left_out);
      }
      plan.save(config.run);
    } else {
      const auto plan = corpus::Plan::load(config.run);
      const auto extended = plan.extend(config.corpus);
      if (extended.fingerprint() != plan.fingerprint()) extended.save(config.run);
    }
    base::write_file_atomically(config.run / "config.yaml", config.effective);
  });
  auto plan = load_plan(config, comm);
  report_plan(config, plan, comm);
  return plan;
}

corpus::Plan load_run(const RunConfig& config, const comm::Communicator& comm) {
  comm.on_root([&] {
    if (!std::filesystem::exists(config.run / "plan.json") ||
        !std::filesystem::exists(config.run / kIdentityFile)) {
      base::fail(base::ExitCode::kInput,
                 config.run.string() + " is no run directory: run \"quasar run\" first");
    }
    check_identity(config);
  });
  return load_plan(config, comm);
}

corpus::Plan open_stored_run(const RunConfig& config, const comm::Communicator& comm) {
  auto plan = load_run(config, comm);
  comm.on_root([&] { base::write_file_atomically(config.run / "config.yaml", config.effective); });
  report_plan(config, plan, comm);
  return plan;
}

std::unique_ptr<encoder::Encoder> open_encoder(const RunConfig& config, const comm::Communicator& comm) {
  std::unique_ptr<encoder::Encoder> encoder;
  comm.together([&] { encoder = encoder::make_encoder(config.encoder, comm.local_rank()); });
  if (comm.is_root()) {
    base::log_info("encoder {} ({}), {} dimensions, on {}", encoder->fingerprint().architecture,
                   encoder->fingerprint().dtype, encoder->dimension(), encoder->device());
  }
  return encoder;
}

EmbedStatistics embed_step(const RunConfig& config, const corpus::Plan& plan, encoder::Encoder& encoder,
                           const comm::Communicator& comm, Part part, std::optional<RetryFailed> retry) {
  auto demand = memory_demand(encoder, comm);
  demand.largest_shard = largest_shard(plan);
  comm.together([&] {
    const auto memory = plan_memory(config, demand);
    if (!comm.is_root()) return;
    for (const auto& line : describe(memory)) base::log_info("memory: {}", line);
  });
  EmbedJob job{plan,        config.run, encoder, config.decode, config.embed, config.encoder.batch_size,
               config.half, "embed",    part,    retry};
  auto statistics = embed(job, comm);
  if (comm.is_root()) {
    for (const auto& [status, count] : statistics.by_status) {
      base::log_info("{}: {}", base::status_name(status), base::with_thousands(count));
    }
  }
  return statistics;
}

std::vector<store::AnchorSet> anchor_step(const RunConfig& config, encoder::Encoder& encoder,
                                          const comm::Communicator& comm) {
  if (config.anchors.empty()) {
    base::fail(base::ExitCode::kConfig,
               "no anchors are configured: name at least one set in the section \"anchors\"");
  }
  std::vector<store::AnchorSet> sets;
  for (const auto& source : config.anchors) {
    if (source.from_prompts()) {
      sets.push_back(build_text_anchors(config, source, encoder, comm));
    } else if (source.file.empty()) {
      sets.push_back(build_anchors(config, source, encoder, comm));
    } else {
      comm.together([&] { sets.push_back(store::read_anchor_file(source.file)); });
      sets.back().name = source.name;
    }
  }
  return sets;
}

void score_step(const RunConfig& config, const corpus::Plan& plan, const std::vector<store::AnchorSet>& sets,
                const comm::Communicator& comm) {
  comm.on_root([&] {
    base::make_directories(config.run / "scores");
    base::remove_stale_temporaries(config.run / "scores");
  });
  comm.together([&] {
    const auto scoring = scoring_sets(sets);
    store::ScoreShard result;
    for (const auto& set : sets) {
      result.names.push_back(set.name);
      result.anchor_fingerprints.push_back(store::anchor_fingerprint(set));
    }
    const auto& shards = plan.shards();
    std::optional<base::Progress> progress;
    if (comm.is_root()) progress.emplace("score", "shards", shards.size()).update(0);
    for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < shards.size();
         i += static_cast<std::size_t>(comm.size())) {
      const auto from = shard_path(config.run, shards[i].id);
      const auto to = score_path(config.run, shards[i].id);
      if (!std::filesystem::exists(from)) {
        base::fail(base::ExitCode::kInput, from.string() + " is missing: run \"quasar embed\" first");
      }
      const store::EmbeddingShardReader reader(from);
      check_encoders(reader.header(), from, sets);
      result.shard = shards[i].id;
      result.embeddings_xxh128 = reader.header().content_xxh128;
      if (!store::score_shard_matches(to, result.embeddings_xxh128, result.shard, result.names,
                                      result.anchor_fingerprints)) {
        score_shard(reader, scoring, result);
        store::write_score_shard(to, result);
      }
      if (progress) progress->update(i + 1);
    }
  });
}

curation::CurationResult rank_step(const RunConfig& config, const corpus::Plan& plan,
                                   const comm::Communicator& comm) {
  curation::RankInput input;
  input.embeddings = config.run / "embeddings";
  input.scores = config.run / "scores";
  for (const auto& shard : plan.shards()) {
    input.shards.push_back(shard.id);
    input.shard_first.push_back(shard.first);
  }
  std::vector<std::string> columns;
  for (const auto& anchor : config.anchors) columns.push_back(anchor.name);
  const auto result =
      curation::write_manifests(config.run, input, columns, config.curation, software_versions(), comm);
  if (comm.is_root()) {
    base::log_info("{} rows: {} scored, {} failed, {} kept", base::with_thousands(result.rows),
                   base::with_thousands(result.scored), base::with_thousands(result.failed),
                   base::with_thousands(result.kept));
  }
  if (result.scored == 0) {
    std::string failures;
    for (const auto& [status, count] : result.by_status)
      failures += fmt::format(" {} {}", count, base::status_name(status));
    base::fail(base::ExitCode::kNoResult,
               fmt::format("not one of {} images could be scored ({}); {} names each with its reason",
                           result.rows, failures.substr(1), (config.run / "manifest.csv").string()));
  }
  return result;
}

std::map<std::string, std::string> software_versions() {
  return {{"quasar", base::version()},
          {"libtorch", encoder::torch_version()},
          {"mpi", comm::Environment::library_version()},
          {"hdf5", store::hdf5_version()},
          {"faiss", cluster::faiss_version()},
          {"libvips", image::vips_library_version()},
          {"blas", base::blas_info().description}};
}

}  // namespace quasar::pipeline
