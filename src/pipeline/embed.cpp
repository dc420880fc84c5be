#include "pipeline/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "pass/rank_metrics.h"
#include "pass/run_pass.h"
#include "pipeline/await_written.h"
#include "pipeline/rank_embedder.h"
#include "store/virtual_dataset.h"

namespace quasar::pipeline {
namespace {

constexpr auto kMetricsPeriod = std::chrono::seconds(2);

/// RUN/metrics/rank-N.prom of this rank, written now and then. Jobs on other parts of the plan have files of
/// their own.
class MetricsFile {
 public:
  MetricsFile(const EmbedJob& job, int rank, const pass::RankMetrics& metrics)
      : rank_(rank),
        path_(job.folder / "metrics" / (prefix(job) + std::to_string(rank) + ".prom")),
        metrics_(metrics),
        start_(std::chrono::steady_clock::now()),
        written_(start_) {}

  void write_when_due(RankEmbedder& embedder) {
    if (std::chrono::steady_clock::now() - written_ >= kMetricsPeriod) write(false, embedder);
  }

  /// A file that cannot be written costs the metrics, never the work.
  void write(bool finished, RankEmbedder& embedder) {
    written_ = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double>(written_ - start_).count();
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    try {
      const pass::MetricsStamp stamp{
          rank_, elapsed, now, finished, embedder.open_shards(), embedder.in_flight_table().items()};
      base::write_file_atomically(path_, pass::to_prometheus(metrics_, stamp));
    } catch (const std::exception& error) {
      if (!std::exchange(warned_, true)) base::log_warning("no metrics: {}", error.what());
    }
  }

  static std::string prefix(const EmbedJob& job) {
    return job.part.count > 1 ? fmt::format("part-{}-rank-", job.part.index) : "rank-";
  }

 private:
  const int rank_;
  const std::filesystem::path path_;
  const pass::RankMetrics& metrics_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point written_;
  bool warned_ = false;
};

/// Removes what an earlier pass of more ranks has left.
void remove_old_metrics(const EmbedJob& job) {
  for (const auto& entry : std::filesystem::directory_iterator(job.folder / "metrics")) {
    if (entry.path().filename().string().starts_with(MetricsFile::prefix(job)))
      std::filesystem::remove(entry.path());
  }
}

/// Whether the shard's file is there, whole, undamaged and of this encoder, and holds no row to retry. A
/// damaged one is said to be so.
bool is_finished(const EmbedJob& job, const base::EncoderIdentity& identity, const corpus::Shard& shard) {
  const auto path = shard_path(job.folder, shard.id);
  if (!store::verify_shard(path) || !store::is_whole_shard(path, shard.sha256, shard.id, shard.count)) {
    if (std::filesystem::exists(path)) {
      base::log_warning("{} is damaged, or of other images: its {} images are embedded anew", path.string(),
                        shard.count);
    }
    return false;
  }
  check_shard_encoder(path, store::EmbeddingShardReader(path).header().encoder, identity);
  if (job.retry) {
    const auto statuses = store::EmbeddingShardReader(path).read_statuses();
    return std::none_of(statuses.begin(), statuses.end(),
                        [&](base::RowStatus status) { return job.retry->covers(status); });
  }
  return true;
}

/// Places in the plan of the part's shards.
std::vector<std::size_t> shards_of_part(const EmbedJob& job) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < job.plan.shards().size(); ++i) {
    if (job.part.holds(job.plan.shards()[i].id)) places.push_back(i);
  }
  return places;
}

/// Shards that are not finished, largest first so that no long one is left for the end. The files are read to
/// the last byte. Collective.
std::vector<int> missing_shards(const EmbedJob& job, const base::EncoderIdentity& identity,
                                const comm::Communicator& comm) {
  const auto& shards = job.plan.shards();
  const auto places = shards_of_part(job);
  std::vector<std::int64_t> finished(shards.size(), 0);
  // On a new run there is nothing to report.
  const bool any = !std::filesystem::is_empty(job.folder / "embeddings");
  pass::run_pass({"check " + job.what, any ? "shards" : "", places.size(), places.size()}, comm,
                 [&](pass::ShardFeed& feed) {
                   while (const auto next = feed.next()) {
                     const auto place = places[*next];
                     finished[place] = is_finished(job, identity, shards[place]) ? 1 : 0;
                     feed.add_done(1);
                   }
                 });
  comm.all_reduce(std::span(finished), comm::Reduction::kMax);
  std::vector<int> missing;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (finished[i] == 0 && job.part.holds(shards[i].id)) missing.push_back(static_cast<int>(i));
  }
  std::stable_sort(missing.begin(), missing.end(), [&](int left, int right) {
    const auto& a = shards[static_cast<std::size_t>(left)];
    const auto& b = shards[static_cast<std::size_t>(right)];
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.count > b.count;
  });
  return missing;
}

/// Of shards that this pass has written or read through. Collective.
std::map<base::RowStatus, std::uint64_t> count_statuses(const EmbedJob& job, const comm::Communicator& comm) {
  const auto places = shards_of_part(job);
  std::vector<std::uint64_t> counts(256, 0);
  pass::run_pass({"count " + job.what, "", places.size()}, comm, [&](pass::ShardFeed& feed) {
    while (const auto next = feed.next()) {
      const auto path = shard_path(job.folder, job.plan.shards()[places[*next]].id);
      await_written(path);
      for (const auto status :
           store::EmbeddingShardReader(path, store::Integrity::kUnchecked).read_statuses())
        ++counts[static_cast<std::size_t>(status)];
      feed.add_done(1);
    }
  });
  comm.all_reduce(std::span(counts), comm::Reduction::kSum);
  std::map<base::RowStatus, std::uint64_t> by_status;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) by_status[static_cast<base::RowStatus>(i)] = counts[i];
  }
  return by_status;
}

/// Writes the virtual dataset unless shards of other parts are missing still.
void join_shards(const EmbedJob& job) {
  std::vector<std::filesystem::path> shards;
  for (const auto& shard : job.plan.shards()) {
    shards.push_back(shard_path(job.folder, shard.id));
    if (job.part.holds(shard.id)) await_written(shards.back());
    if (!job.part.holds(shard.id) && !store::is_whole_shard(shards.back(), shard.sha256, shard.id,
                                                            shard.count, store::Integrity::kUnchecked)) {
      base::log_info("part {} of {} is done; others are not, embeddings.h5 is left to them", job.part.index,
                     job.part.count);
      return;
    }
  }
  store::write_virtual_dataset(job.folder / "embeddings.h5", shards);
}

/// What decoding cost in workers, where it did.
void report_losses(const decode::PoolStatistics& decoding) {
  if (decoding.restarts == 0) return;
  base::log_info(
      "decoding: {} of {} pictures crashed their worker, {} timed out, {} took too much memory; {} workers "
      "replaced in {}",
      decoding.crashed, base::with_thousands(decoding.pictures), decoding.timed_out, decoding.out_of_memory,
      decoding.restarts, base::human_duration(decoding.restart_seconds));
}

/// Embeds the missing shards. Collective.
void work_off(const EmbedJob& job, const base::EncoderIdentity& identity, const std::vector<int>& missing,
              std::uint64_t rows_before, const comm::Communicator& comm) {
  const EmbedThreads threads = threads_of_rank(job.threads, comm);
  comm.on_root([&] { remove_old_metrics(job); });
  pass::RankMetrics metrics;
  MetricsFile file(job, comm.rank(), metrics);
  std::optional<RankEmbedder> embedder;
  comm.together([&] { embedder.emplace(job, identity, missing, threads, metrics); });
  std::uint64_t total = rows_before;
  for (const int place : missing) total += job.plan.shards()[static_cast<std::size_t>(place)].count;
  const pass::PassJob pass{job.what, "images", missing.size(), total, rows_before, [&] {
                             embedder->sample_memory();
                             file.write_when_due(*embedder);
                           }};
  constexpr double kWorthTelling = 1;
  const base::PhaseDetail detail([&] { return embedder->in_flight_table().longest(kWorthTelling); });
  pass::run_pass(pass, comm, [&](pass::ShardFeed& feed) {
    embedder->run(feed);
    file.write(true, *embedder);
    report_losses(embedder->decoding());
  });
}

}  // namespace

std::filesystem::path shard_path(const std::filesystem::path& folder, int shard) {
  return folder / "embeddings" / fmt::format("shard-{:06}.h5", shard);
}

base::EncoderIdentity encoder_identity(const encoder::Encoder& encoder, const image::DecodeConfig& decode) {
  auto identity = encoder.identity();
  identity.preprocessing += ", " + image::describe(decode);
  return identity;
}

void check_shard_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& found,
                         const base::EncoderIdentity& configured) {
  if (found == configured) return;
  base::fail(base::ExitCode::kMismatch,
             fmt::format("{} was embedded by another encoder ({}) than the configured one ({}); use another "
                         "run directory, or the encoder of this one",
                         shard.string(), found.describe(), configured.describe()));
}

EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm) {
  const auto identity = encoder_identity(job.encoder, job.decode);
  comm.on_root([&] {
    for (const char* name : {"embeddings", "metrics"}) {
      base::make_directories(job.folder / name);
      base::remove_stale_temporaries(job.folder / name);
    }
  });
  comm.together([&] {
    for (const char* name : {"embeddings", "metrics"}) await_written(job.folder / name);
  });
  const std::vector<int> missing = missing_shards(job, identity, comm);

  EmbedStatistics statistics;
  for (const auto& shard : job.plan.shards()) {
    if (!job.part.holds(shard.id)) continue;
    statistics.rows += shard.count;
    ++statistics.shards;
  }
  statistics.shards_found_finished = statistics.shards - static_cast<int>(missing.size());
  for (const int id : missing)
    statistics.embedded_now += job.plan.shards()[static_cast<std::size_t>(id)].count;
  const std::uint64_t rows_before = statistics.rows - statistics.embedded_now;

  if (!missing.empty()) work_off(job, identity, missing, rows_before, comm);

  comm.on_root([&] { join_shards(job); });
  statistics.by_status = count_statuses(job, comm);
  return statistics;
}

}  // namespace quasar::pipeline
