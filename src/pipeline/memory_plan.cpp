#include "pipeline/memory_plan.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "cluster/kmeans.h"
#include "comm/cores.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kRankStage = "rank";

/// A row's texts and numbers (id, source, hash, fields) beside its embedding; measured on web scrapes.
constexpr std::uint64_t kRecordBytes = 1024;
/// A large photo being decoded by one thread: 24 megapixels as libvips streams them, and its file.
constexpr std::uint64_t kDecodeBytes = std::uint64_t{96} << 20U;
/// Activations of one picture in the encoder, as multiples of its float32 pixels; ViT-L's lie at about 40.
constexpr std::uint64_t kActivations = 40;

/// A picture at native resolution: four megapixels. A larger one takes more, in proportion.
constexpr std::uint64_t kNativePixels = std::uint64_t{4} << 20U;

/// Bytes of a picture as the encoder takes it. Of those whose longer side is free, one twice as long as high.
std::uint64_t picture_bytes(const base::InputSpec& input) {
  if (input.resize == base::ResizeRule::kNone) return 3 * kNativePixels;
  const auto side = static_cast<std::uint64_t>(input.size);
  return 3 * side * side * (input.fixed_shape() ? 1 : 2);
}

StageMemory embed_memory(const RunConfig& config, const MemoryDemand& demand) {
  const auto batch = static_cast<std::uint64_t>(config.encoder.batch_size);
  const std::uint64_t picture = picture_bytes(demand.input);
  // Pictures of different shapes are encoded one by one.
  const std::uint64_t encoded = demand.input.fixed_shape() ? batch : 1;
  const auto decoders = static_cast<std::uint64_t>(
      config.embed.decode_threads > 0 ? config.embed.decode_threads : demand.threads);
  const auto encoders = static_cast<std::uint64_t>(
      config.embed.encode_threads > 0 ? config.embed.encode_threads : demand.threads);
  const auto in_flight = static_cast<std::uint64_t>(config.embed.batches_in_flight);
  const std::uint64_t rows = demand.largest_shard * (demand.dimension * sizeof(float) * 2 + kRecordBytes);
  const std::uint64_t buffers = in_flight * batch * picture;
  const std::uint64_t encoding = encoders * encoded * picture * (1 + sizeof(float) * kActivations);
  StageMemory memory{"embed", rows + buffers + encoding + decoders * kDecodeBytes, {}};
  memory.note =
      fmt::format("a shard's rows {}, {} batches {}, {} decoders {}, {} encoders {}", base::human_bytes(rows),
                  in_flight, base::human_bytes(buffers), decoders, base::human_bytes(decoders * kDecodeBytes),
                  encoders, base::human_bytes(encoding));
  return memory;
}

/// The least limit that every stage keeps within.
std::uint64_t least_limit(const RunConfig& config, const MemoryPlan& plan) {
  std::uint64_t least = 0;
  for (const auto& stage : plan.stages) {
    std::uint64_t bytes = stage.bytes;
    // Ranking takes half of the limit, up to its default, and so gets more with a higher one: process + limit
    // / 2 <= limit.
    if (stage.stage == kRankStage && config.halved_for_ranking) {
      bytes = std::clamp(plan.process, static_cast<std::uint64_t>(curation::kLeastMemory),
                         static_cast<std::uint64_t>(curation::CurationConfig{}.memory));
    }
    least = std::max(least, plan.process + bytes);
  }
  return least;
}

/// As the key is written, rounded up; with something to spare, as a process is not of the same size at every
/// start.
std::string limit_text(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
  return fmt::format("{}MiB", (bytes + bytes / 64 + kMiB - 1) / kMiB);
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
  plan.stages.push_back(embed_memory(config, demand));
  for (const auto& source : config.anchors) {
    if (!source.file.empty()) continue;
    const bool mean = source.recipe.aggregate.aggregation == anchors::Aggregation::kMean;
    const int k = mean ? 1 : source.recipe.aggregate.kmeans.k;
    // What streaming takes; more is used only as far as it is allowed.
    const auto least = cluster::least_kmeans_memory(demand.dimension, k, demand.threads);
    plan.stages.push_back({"anchors " + source.name, least,
                           fmt::format("k-means of {} with the rows streamed; rows stay in memory as far as "
                                       "the limit allows",
                                       k)});
  }
  plan.stages.push_back({kRankStage, static_cast<std::uint64_t>(config.curation.memory), "curation.memory"});
  if (plan.limit == 0) return plan;
  for (const auto& stage : plan.stages) {
    const std::uint64_t needed = plan.process + stage.bytes;
    if (needed <= plan.limit) continue;
    base::fail(
        base::ExitCode::kConfig,
        fmt::format("memory: {} is not enough for the stage \"{}\", which needs about {} beside the {} "
                    "of the process and its encoder ({}); set memory to at least {}{}",
                    base::human_bytes(plan.limit), stage.stage, base::human_bytes(stage.bytes),
                    base::human_bytes(plan.process), stage.note, limit_text(least_limit(config, plan)),
                    stage.stage == "embed" ? ", or lower " + keys_to_lower(demand) : ""));
  }
  return plan;
}

MemoryDemand memory_demand(const encoder::Encoder& encoder, const comm::Communicator& comm) {
  MemoryDemand demand;
  demand.input = encoder.input_spec();
  demand.dimension = static_cast<std::size_t>(encoder.dimension());
  demand.threads = comm::cores_of_rank(comm);
  demand.process = static_cast<std::uint64_t>(
      comm.all_reduce(static_cast<std::int64_t>(resident_bytes()), comm::Reduction::kMax));
  return demand;
}

std::uint64_t largest_shard(const corpus::Plan& plan) {
  std::uint64_t most = 0;
  for (const auto& shard : plan.shards()) most = std::max(most, shard.count);
  return most;
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

void report_peak_memory(const RunConfig& config, const comm::Communicator& comm) {
  const auto peak = static_cast<std::uint64_t>(
      comm.all_reduce(static_cast<std::int64_t>(peak_resident_bytes()), comm::Reduction::kMax));
  if (!comm.is_root()) return;
  if (config.memory == 0) {
    base::log_info("peak memory of a rank: {} (no limit is set: key memory)", base::human_bytes(peak));
    return;
  }
  const auto limit = static_cast<std::uint64_t>(config.memory);
  if (peak <= limit) {
    base::log_info("peak memory of a rank: {} of {}", base::human_bytes(peak), base::human_bytes(limit));
  } else {
    base::log_warning("peak memory of a rank: {}, more than the {} that memory allows",
                      base::human_bytes(peak), base::human_bytes(limit));
  }
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t peak_resident_bytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace quasar::pipeline
