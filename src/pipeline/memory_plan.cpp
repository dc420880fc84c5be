#include "pipeline/memory_plan.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>

#include "base/errors.h"
#include "base/limit_text.h"
#include "base/logging.h"
#include "base/progress.h"
#include "cluster/kmeans_memory.h"
#include "comm/cores.h"
#include "dataset/rank_embedder.h"
#include "decode/worker_pool.h"
#include "pipeline/peak_memory.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kRankStage = "rank";

/// A row's texts and numbers (id, source, hash, fields) beside its embedding; measured on web scrapes.
constexpr std::uint64_t kRecordBytes = 1024;
/// What the predictions without a limit assume of large pictures: one of 24 megapixels at a time beside those
/// that keep within their worker's share.
constexpr std::uint64_t kLargeDecode = std::uint64_t{128} << 20U;
/// A picture at native resolution, without a limit: four megapixels.
constexpr int kNativeSide = 2048;

/// Height and width of a picture as the encoder takes it. Of those whose longer side is free, one twice as
/// wide as high.
std::pair<int, int> usual_shape(const base::InputSpec& input) {
  if (input.resize == base::ResizeRule::kNone) return {kNativeSide, kNativeSide};
  return {input.size, input.fixed_shape() ? input.size : 2 * input.size};
}

/// The stage "embed", and how it divides its memory. `rest`: what the limit leaves beside the process; 0 for
/// none.
StageMemory embed_stage(const RunConfig& config, const MemoryDemand& demand, std::uint64_t limit,
                        std::uint64_t rest, dataset::EmbedMemory& shares) {
  const dataset::EmbedThreads threads{
      config.embed.decode_threads > 0 ? config.embed.decode_threads : demand.threads,
      config.embed.encode_threads > 0 ? config.embed.encode_threads : demand.threads};
  const auto batch = static_cast<std::size_t>(config.encoder.batch_size);
  const auto held = dataset::in_flight(config.embed, threads, batch, demand.input);
  const std::uint64_t row = demand.dimension * sizeof(float) * 2 + kRecordBytes;
  // Two shards: one being begun while the other one's last rows are encoded and its file is written.
  const std::uint64_t rows = 2 * demand.largest_shard * row;

  const std::uint64_t workers = decode::least_memory(threads.decode);
  std::uint64_t large = kLargeDecode;
  if (limit > 0) {
    large = std::max(limit / kDecodePart, decode::kStandingBytes) - decode::kStandingBytes;
    shares.decode = workers + large;
  }

  const auto [height, width] = usual_shape(demand.input);
  const std::uint64_t picture =
      std::uint64_t{3} * static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  const auto calls = static_cast<std::uint64_t>(demand.encode_calls(threads.encode));
  const std::uint64_t waiting = held.rows() * picture;
  const std::uint64_t copied =
      demand.input.fixed_shape() ? static_cast<std::uint64_t>(threads.encode) * batch * picture : 0;
  std::uint64_t encoding =
      waiting + copied + calls * demand.encode_bytes(static_cast<int>(held.batch), height, width);
  if (limit > 0 && !demand.input.fixed_shape()) {
    const std::uint64_t other = rows + workers + large;
    shares.encode_most = limit / kEncodePart;
    shares.encode = std::max(shares.encode_most, rest > other ? rest - other : 0);
    encoding = shares.encode;
  }
  StageMemory memory{"embed", rows + workers + large + encoding, {}};
  memory.note = fmt::format(
      "rows of two shards {}, {} decode workers {}, large pictures {}, pictures being encoded by {} "
      "and waiting {}",
      base::human_bytes(rows), threads.decode, base::human_bytes(workers), base::human_bytes(large),
      threads.encode, base::human_bytes(encoding));
  return memory;
}

curation::BalanceMemory balance_memory(const RunConfig& config, const MemoryDemand& demand) {
  return curation::least_balance_memory(config.curation.balance, demand.largest_share, demand.dimension,
                                        demand.threads);
}

std::vector<StageMemory> stages_of(const RunConfig& config, const MemoryDemand& demand, std::uint64_t limit,
                                   dataset::EmbedMemory& shares) {
  const std::uint64_t rest = limit > demand.process ? limit - demand.process : 0;
  std::vector<StageMemory> stages = {embed_stage(config, demand, limit, rest, shares)};
  for (const auto& source : config.anchors) {
    if (!source.file.empty()) continue;
    const bool mean = source.recipe.aggregate.aggregation == anchors::Aggregation::kMean;
    const int k = mean ? 1 : source.recipe.aggregate.kmeans.k;
    // What streaming takes; more is used only as far as it is allowed.
    const auto least = cluster::least_kmeans_memory(demand.dimension, k, demand.threads);
    stages.push_back({"anchors " + source.name, least,
                      fmt::format("k-means of {} with the rows streamed; rows stay in memory as far as "
                                  "the limit allows",
                                  k)});
  }
  std::string note = "curation.memory";
  if (config.curation.balance.any()) {
    const auto balance = balance_memory(config, demand);
    note += fmt::format(", of which curation.balance needs {}: {} of {}, {} of k-means",
                        base::human_bytes(balance.total()), base::human_bytes(balance.rows),
                        base::counted(demand.largest_share, "row"), base::human_bytes(balance.kmeans));
  }
  stages.push_back({kRankStage, static_cast<std::uint64_t>(config.curation.memory), note});
  return stages;
}

/// The least limit that every stage keeps within. Some take parts of it, so that it is approached from below.
std::uint64_t least_limit(const RunConfig& config, const MemoryDemand& demand) {
  constexpr int kTurns = 200;
  std::uint64_t limit = demand.process;
  for (int turn = 0; turn < kTurns; ++turn) {
    dataset::EmbedMemory ignored;
    std::uint64_t least = limit;
    for (const auto& stage : stages_of(config, demand, limit, ignored)) {
      std::uint64_t bytes = stage.bytes;
      // Ranking takes half of the limit, up to its default, and so gets more with a higher one: process +
      // limit / 2 <= limit.
      if (stage.stage == kRankStage && config.halved_for_ranking) {
        bytes = std::clamp(demand.process, static_cast<std::uint64_t>(curation::kLeastMemory),
                           static_cast<std::uint64_t>(curation::CurationConfig{}.memory));
      }
      least = std::max(least, demand.process + bytes);
    }
    if (least == limit) break;
    limit = least;
  }
  return limit;
}

/// What makes the stage "embed" smaller and can still be changed.
std::string keys_to_lower(const MemoryDemand& demand) {
  std::string keys = "embed.decode_threads, embed.encode_threads";
  if (!demand.batch_size_frozen) keys = "encoder.batch_size, " + keys;
  if (!demand.shards_frozen) keys += ", corpus.shard_size";
  const auto last = keys.rfind(", ");
  return keys.replace(last, 2, " or ");
}

}  // namespace

std::uint64_t MemoryPlan::peak() const {
  std::uint64_t most = 0;
  for (const auto& stage : stages) most = std::max(most, stage.bytes);
  return process + most;
}

MemoryPlan plan_memory(const RunConfig& config, const MemoryDemand& demand) {
  MemoryPlan plan;
  plan.process = demand.process;
  plan.limit = static_cast<std::uint64_t>(config.memory);
  plan.stages = stages_of(config, demand, plan.limit, plan.embed);
  if (config.curation.balance.any()) {
    curation::check_balance_memory(config.curation.balance, demand.largest_share, demand.dimension,
                                   demand.threads, static_cast<std::uint64_t>(config.curation.memory),
                                   config.halved_for_ranking ? " (half of memory)" : "");
  }
  if (plan.limit == 0) return plan;
  for (const auto& stage : plan.stages) {
    const std::uint64_t needed = plan.process + stage.bytes;
    if (needed <= plan.limit) continue;
    base::fail(base::ExitCode::kConfig,
               fmt::format(
                   "memory: {} is not enough for the stage \"{}\", which needs about {} beside the {} "
                   "of the process and its encoder ({}); set memory to at least {}{}",
                   base::human_bytes(plan.limit), stage.stage, base::human_bytes(stage.bytes),
                   base::human_bytes(plan.process), stage.note, base::limit_text(least_limit(config, demand)),
                   stage.stage == "embed" ? ", or lower " + keys_to_lower(demand) : ""));
  }
  return plan;
}

MemoryDemand memory_demand(const encoder::Encoder& encoder, const comm::Communicator& comm) {
  MemoryDemand demand;
  demand.input = encoder.input_spec();
  demand.dimension = static_cast<std::size_t>(encoder.dimension());
  demand.threads = comm::cores_of_rank(comm);
  demand.encode_bytes = [&encoder](int count, int height, int width) {
    return encoder.working_memory(count, height, width).host;
  };
  demand.encode_calls = [&encoder](int threads) { return encoder.calls_at_once(threads); };
  demand.process = static_cast<std::uint64_t>(
      comm.all_reduce(static_cast<std::int64_t>(resident_bytes()), comm::Reduction::kMax));
  return demand;
}

dataset::EmbedMemory embed_memory(const RunConfig& config, const corpus::Plan& plan,
                                  const encoder::Encoder& encoder, const comm::Communicator& comm) {
  auto demand = memory_demand(encoder, comm);
  demand.largest_shard = plan.largest_shard();
  dataset::EmbedMemory shares;
  stages_of(config, demand, static_cast<std::uint64_t>(config.memory), shares);
  return shares;
}

MemoryPlan check_memory(const RunConfig& config, const RunDraft& draft, const encoder::Encoder& encoder,
                        const comm::Communicator& comm) {
  auto demand = memory_demand(encoder, comm);
  demand.largest_shard = draft.largest_shard;
  demand.largest_share = draft.largest_share;
  demand.shards_frozen = draft.frozen;
  demand.batch_size_frozen = draft.begun;
  MemoryPlan memory;
  comm.together([&] { memory = plan_memory(config, demand); });
  return memory;
}

std::vector<std::string> describe(const MemoryPlan& plan) {
  std::vector<std::string> lines = {
      fmt::format("{} on each rank at most ({}), of which {} for the process and its encoder",
                  base::human_bytes(plan.peak()),
                  plan.limit == 0 ? "no limit is set" : "of " + base::human_bytes(plan.limit) + " allowed",
                  base::human_bytes(plan.process))};
  for (const auto& stage : plan.stages) {
    lines.push_back(fmt::format("{} {} ({})", stage.stage, base::human_bytes(stage.bytes), stage.note));
  }
  return lines;
}

void report_memory(const MemoryPlan& memory, const comm::Communicator& comm) {
  if (!comm.is_root()) return;
  for (const auto& line : describe(memory)) base::log_info("memory: {}", line);
}

std::uint64_t kmeans_limit(const RunConfig& config, std::size_t dimension, int k,
                           const comm::Communicator& comm) {
  const int threads = comm::cores_of_rank(comm);
  if (config.memory == 0) return 0;
  // What earlier stages have freed counts as free.
  ::malloc_trim(0);
  const auto limit = static_cast<std::uint64_t>(config.memory);
  const std::uint64_t now = resident_bytes();
  return std::max(limit > now ? limit - now : 0, cluster::least_kmeans_memory(dimension, k, threads));
}

}  // namespace quasar::pipeline
