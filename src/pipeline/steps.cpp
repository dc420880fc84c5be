#include "pipeline/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/file_status.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/version.h"
#include "cluster/library_version.h"
#include "encoder/make_encoder.h"
#include "image/vips_environment.h"
#include "pipeline/anchor_check.h"
#include "pipeline/await_written.h"
#include "pipeline/build_anchors.h"
#include "pipeline/run_status.h"
#include "pipeline/text_anchors.h"
#include "store/inspect.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kIdentityFile = "identity.json";
constexpr const char* kPlanFile = "plan.json";

/// Held while a new run directory is begun, so that of several jobs one is first.
constexpr const char* kStartLock = "start.lock";

bool is_there(const std::filesystem::path& path) {
  return std::filesystem::exists(base::file_status(path));
}

/// Refuses a configuration that would give other embeddings than those the run directory holds.
void check_identity(const RunConfig& config) {
  const auto path = config.run / kIdentityFile;
  const nlohmann::json wanted = config.identity;
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

corpus::Plan new_plan(const RunConfig& config) {
  auto plan = corpus::Plan::make(config.corpus);
  if (plan.item_count() > 0) return plan;
  std::string left_out;
  for (const auto& [reason, count] : plan.left_out())
    left_out += fmt::format("; left out: {} {}", count, reason);
  base::fail(base::ExitCode::kInput, "the corpus holds no image" + left_out);
}

/// A frozen plan as this job goes on with it.
corpus::Plan continued(const corpus::Plan& frozen, const RunConfig& config, FrozenPlan handling) {
  if (handling == FrozenPlan::kExtended) return frozen.extend(config.corpus);
  frozen.check_sources(config.corpus);
  return frozen;
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

RunDraft draft_run(const RunConfig& config, const comm::Communicator& comm, FrozenPlan handling) {
  const base::Phase phase("plan");
  RunDraft draft;
  draft.handling = handling;
  std::int64_t frozen = 0;
  std::int64_t begun = 0;
  std::int64_t largest = 0;
  comm.on_root([&] {
    begun = is_there(config.run / kIdentityFile) ? 1 : 0;
    if (begun != 0) check_identity(config);
    frozen = is_there(config.run / kPlanFile) ? 1 : 0;
    if (frozen != 0) {
      const auto plan = corpus::Plan::load(config.run);
      draft.based_on = plan.fingerprint();
      draft.plan = continued(plan, config, handling);
    } else {
      draft.plan = new_plan(config);
    }
    largest = static_cast<std::int64_t>(largest_shard(*draft.plan));
  });
  draft.frozen = comm.all_reduce(frozen, comm::Reduction::kMax) != 0;
  draft.begun = comm.all_reduce(begun, comm::Reduction::kMax) != 0;
  draft.largest_shard = static_cast<std::uint64_t>(comm.all_reduce(largest, comm::Reduction::kMax));
  return draft;
}

corpus::Plan freeze_run(const RunConfig& config, const RunDraft& draft, RunStart start,
                        const comm::Communicator& comm) {
  const base::Phase phase("plan");
  comm.on_root([&] {
    const auto state = config.run / "state";
    base::make_directories(state);
    // Other jobs may have begun the directory since the draft was made.
    const base::FileLock lock(state / kStartLock);
    if (is_there(config.run / kIdentityFile)) check_identity(config);
    auto plan = *draft.plan;
    if (is_there(config.run / kPlanFile)) {
      const auto found = corpus::Plan::load(config.run);
      if (found.fingerprint() != draft.based_on && found.fingerprint() != plan.fingerprint())
        plan = continued(found, config, draft.handling);
      if (plan.fingerprint() != found.fingerprint()) plan.save(config.run);
    } else {
      plan.save(config.run);
    }
    if (start == RunStart::kEmbedding && !is_there(config.run / kIdentityFile)) {
      base::write_file_atomically(config.run / kIdentityFile, nlohmann::json(config.identity).dump(1) + "\n");
    }
    base::write_file_atomically(config.run / "config.yaml", config.effective);
  });
  auto plan = load_plan(config.run, comm);
  report_plan(config, plan, comm);
  return plan;
}

DoneAlready done_already(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder) {
  const auto ours = encoder_identity(encoder, config.decode);
  const auto crashing = crashing_shards(config.run, draft.plan->shards());
  DoneAlready done;
  for (const auto& shard : draft.plan->shards()) {
    const auto path = shard_path(config.run, shard.id);
    if (crashing.contains(shard.id) ||
        !store::is_whole_shard(path, shard.sha256, shard.id, shard.count, store::Integrity::kUnchecked))
      continue;
    check_shard_encoder(
        path, store::EmbeddingShardReader(path, store::Integrity::kUnchecked).header().encoder, ours);
    ++done.shards;
    done.rows += shard.count;
  }
  return done;
}

MemoryPlan check_memory(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder,
                        const comm::Communicator& comm) {
  auto demand = memory_demand(encoder, comm);
  demand.largest_shard = draft.largest_shard;
  demand.shards_frozen = draft.frozen;
  demand.batch_size_frozen = draft.begun;
  MemoryPlan memory;
  comm.together([&] { memory = plan_memory(config, demand); });
  return memory;
}

corpus::Plan load_run(const RunConfig& config, const comm::Communicator& comm) {
  const base::Phase phase("plan");
  comm.on_root([&] {
    if (!is_there(config.run / kPlanFile) || !is_there(config.run / kIdentityFile)) {
      base::fail(base::ExitCode::kInput,
                 config.run.string() + " is no run directory: run \"quasar run\" first");
    }
    check_identity(config);
  });
  return load_plan(config.run, comm);
}

corpus::Plan open_stored_run(const RunConfig& config, const comm::Communicator& comm) {
  auto plan = load_run(config, comm);
  comm.on_root([&] { base::write_file_atomically(config.run / "config.yaml", config.effective); });
  report_plan(config, plan, comm);
  return plan;
}

std::unique_ptr<encoder::Encoder> open_encoder(const RunConfig& config, const comm::Communicator& comm) {
  const base::Phase phase("encoder");
  std::unique_ptr<encoder::Encoder> encoder;
  comm.together([&] { encoder = encoder::make_encoder(config.encoder, comm.local_rank()); });
  if (comm.is_root()) {
    base::log_info("encoder {} ({}), {} dimensions, on {}", encoder->identity().architecture,
                   encoder->identity().dtype, encoder->dimension(), encoder->device());
  }
  return encoder;
}

EmbedStatistics embed_step(const RunConfig& config, const corpus::Plan& plan, encoder::Encoder& encoder,
                           const comm::Communicator& comm, Part part, std::optional<RetryFailed> retry) {
  warn_of_idle_ranks(plan, comm, part);
  const EmbedJob job{.plan = plan,
                     .folder = config.run,
                     .encoder = encoder,
                     .decode = config.decode,
                     .threads = config.embed,
                     .batch_size = config.encoder.batch_size,
                     .memory = embed_memory(config, plan, encoder, comm),
                     .half = config.half,
                     .part = part,
                     .retry = retry};
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
  const base::Phase phase("anchors");
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
