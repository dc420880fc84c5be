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
#include "pipeline/anchor_check.h"
#include "pipeline/build_anchors.h"
#include "pipeline/memory_plan.h"
#include "pipeline/text_anchors.h"
#include "store/inspect.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kIdentityFile = "identity.json";

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

/// The frozen plan, on every rank.
corpus::Plan load_plan(const RunConfig& config, const comm::Communicator& comm) {
  std::optional<corpus::Plan> plan;
  comm.together([&] { plan.emplace(corpus::Plan::load(config.run)); });
  return *std::move(plan);
}

void report_plan(const RunConfig& config, const corpus::Plan& plan, const comm::Communicator& comm) {
  if (!comm.is_root()) return;
  base::log_info("{} in {}, {}, run directory {}", base::counted(plan.item_count(), "image"),
                 base::counted(plan.shards().size(), "shard"),
                 base::counted(static_cast<std::uint64_t>(comm.size()), "rank"), config.run.string());
  for (const auto& [reason, count] : plan.left_out())
    base::log_info("left out of the corpus: {} ({})", count, reason);
}

void warn_of_idle_ranks(const corpus::Plan& plan, const comm::Communicator& comm, const Part& part) {
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto parts = static_cast<std::uint64_t>(part.count);
  const std::uint64_t shards = (plan.shards().size() + parts - 1) / parts;
  if (!comm.is_root() || shards >= ranks || plan.item_count() < ranks) return;
  // Several for each, as the last ones to finish would be waited for.
  constexpr std::uint64_t kShardsPerRank = 4;
  const std::uint64_t size = std::max<std::uint64_t>(1, plan.item_count() / (parts * ranks * kShardsPerRank));
  base::log_warning(
      "{} for {} leave some without work; in another run directory, corpus.shard_size: {} gives "
      "each a share",
      base::counted(shards, "shard"), base::counted(ranks, "rank"), size);
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
  warn_of_idle_ranks(plan, comm, part);
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

bool builds_anchors(const RunConfig& config) {
  return std::any_of(config.anchors.begin(), config.anchors.end(),
                     [](const auto& source) { return source.file.empty(); });
}

std::vector<store::AnchorSet> anchor_step(const RunConfig& config, encoder::Encoder* encoder,
                                          const comm::Communicator& comm) {
  QUASAR_CHECK(encoder != nullptr || !builds_anchors(config));
  std::vector<store::AnchorSet> sets;
  for (const auto& source : config.anchors) {
    if (source.from_prompts()) {
      sets.push_back(build_text_anchors(config, source, *encoder, comm));
    } else if (source.file.empty()) {
      sets.push_back(build_anchors(config, source, *encoder, comm));
    } else {
      comm.together([&] { sets.push_back(store::read_anchor_file(source.file)); });
      sets.back().name = source.name;
    }
    const auto place = source.file.empty() ? config.run / "anchors" / (source.name + ".h5") : source.file;
    check_anchor_directions(sets.back(), fmt::format("\"{}\" in {}", source.name, place.string()));
  }
  return sets;
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
