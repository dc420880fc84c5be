#include "pipeline/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "pipeline/item_decoder.h"
#include "pipeline/job_board.h"
#include "pipeline/journal.h"
#include "pipeline/quarantine.h"
#include "pipeline/rank_metrics.h"
#include "pipeline/shard_embedder.h"
#include "pipeline/stop_signal.h"
#include "pipeline/watchdog.h"
#include "store/virtual_dataset.h"

namespace quasar::pipeline {
namespace {

constexpr auto kMetricsPeriod = std::chrono::seconds(5);

/// What a rank's watchdog does: hung decoders, metrics, and the watch over other ranks.
class PassWatch {
 public:
  PassWatch(const EmbedJob& job, const comm::Communicator& comm, Journal& journal, const RankMetrics& metrics,
            JobBoard& board)
      : hung_after_(hung_after_seconds(job.decode)),
        rank_(comm.rank()),
        path_(metrics_path(job, comm.rank())),
        journal_(journal),
        metrics_(metrics),
        start_(std::chrono::steady_clock::now()),
        written_(start_),
        peers_(board, job.folder / "state", job.threads.stall_timeout_s, comm.rank()) {}

  void look() {
    if (stop_requested()) journal_.mark_stopping();
    end_if_hung(journal_, hung_after_);
    peers_.look();
    if (std::chrono::steady_clock::now() - written_ >= kMetricsPeriod) write_metrics(false);
  }

  /// A file that cannot be written costs the metrics, never the work.
  void write_metrics(bool finished) {
    written_ = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double>(written_ - start_).count();
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    try {
      base::write_file_atomically(path_, to_prometheus(metrics_, {rank_, elapsed, now, finished}));
    } catch (const std::exception& error) {
      if (!std::exchange(warned_, true)) base::log_warning("no metrics: {}", error.what());
    }
  }

  /// From another thread than look(), as often.
  void look_after() { peers_.look_after(); }

  std::string slowest() { return peers_.slowest(); }

  static std::filesystem::path metrics_path(const EmbedJob& job, int rank) {
    return job.folder / "metrics" / (metrics_prefix(job) + std::to_string(rank) + ".prom");
  }
  /// Jobs on other parts of the plan have files of their own.
  static std::string metrics_prefix(const EmbedJob& job) {
    return job.part.count > 1 ? fmt::format("part-{}-rank-", job.part.index) : "rank-";
  }

 private:
  const double hung_after_;
  const int rank_;
  const std::filesystem::path path_;
  Journal& journal_;
  const RankMetrics& metrics_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point written_;
  PeerWatch peers_;
  bool warned_ = false;
};

/// Removes what an earlier pass of more ranks has left.
void remove_old_metrics(const EmbedJob& job) {
  for (const auto& entry : std::filesystem::directory_iterator(job.folder / "metrics")) {
    if (entry.path().filename().string().starts_with(PassWatch::metrics_prefix(job)))
      std::filesystem::remove(entry.path());
  }
}

/// Whether the shard's file is there, whole, undamaged and of this encoder, and holds no row to retry. A
/// damaged one is said to be so.
bool is_finished(const EmbedJob& job, const store::EncoderIdentity& identity, const corpus::Shard& shard) {
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

/// Places in the plan of the part's shards that fall to this rank: every size()-th of the part's, so that all
/// ranks have their share whatever divides what.
std::vector<std::size_t> own_shards(const EmbedJob& job, const comm::Communicator& comm) {
  const auto& shards = job.plan.shards();
  std::vector<std::size_t> own;
  int of_part = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (job.part.holds(shards[i].id) && of_part++ % comm.size() == comm.rank()) own.push_back(i);
  }
  return own;
}

/// Shards that are not finished, largest first so that no long one is left for the end. Every rank reads its
/// share of the files, to the last byte. Collective.
std::vector<int> missing_shards(const EmbedJob& job, const store::EncoderIdentity& identity,
                                const comm::Communicator& comm) {
  const auto& shards = job.plan.shards();
  std::vector<std::int64_t> finished(shards.size(), 0);
  comm.together([&] {
    for (const std::size_t i : own_shards(job, comm)) {
      if (stop_requested()) base::fail(base::ExitCode::kInterrupted, stopped_message());
      finished[i] = is_finished(job, identity, shards[i]) ? 1 : 0;
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

/// Of shards that this pass has written or read through.
std::map<base::RowStatus, std::uint64_t> count_statuses(const EmbedJob& job, const comm::Communicator& comm) {
  std::vector<std::uint64_t> counts(256, 0);
  const auto& shards = job.plan.shards();
  for (const std::size_t i : own_shards(job, comm)) {
    for (const auto status :
         store::EmbeddingShardReader(shard_path(job.folder, shards[i].id), store::Integrity::kUnchecked)
             .read_statuses()) {
      ++counts[static_cast<std::size_t>(status)];
    }
  }
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
    if (!job.part.holds(shard.id) && !store::is_whole_shard(shards.back(), shard.sha256, shard.id,
                                                            shard.count, store::Integrity::kUnchecked)) {
      base::log_info("part {} of {} is done; others are not, embeddings.h5 is left to them", job.part.index,
                     job.part.count);
      return;
    }
  }
  store::write_virtual_dataset(job.folder / "embeddings.h5", shards);
}

/// Embeds the missing shards. Collective.
void work_off(const EmbedJob& job, const store::EncoderIdentity& identity, const std::vector<int>& missing,
              const Quarantine& quarantine, std::uint64_t rows_before, const comm::Communicator& comm) {
  const EmbedThreads threads = threads_of_rank(job.threads, comm);
  std::optional<Journal> journal;
  comm.on_root([&] { remove_old_metrics(job); });
  comm.together([&] {
    journal.emplace(job.folder / "state", comm.rank(), threads.decode);
    journal->mark_on_crash();
  });
  comm.together([&] {
    // An error on this rank must not keep the others waiting in the board's collective end.
    JobBoard board(comm);
    RankMetrics metrics;
    PassWatch watch(job, comm, *journal, metrics, board);
    std::optional<Watchdog> watchdog(std::in_place, kWatchPeriod, [&] { watch.look(); });
    std::optional<Watchdog> second(std::in_place, kWatchPeriod, [&] { watch.look_after(); });
    std::optional<base::Progress> progress;
    if (comm.is_root()) {
      std::uint64_t total = rows_before;
      for (const int id : missing) total += job.plan.shards()[static_cast<std::size_t>(id)].count;
      progress.emplace(job.what, "images", total);
    }
    std::int64_t steps = 0;
    const auto report = [&](std::uint64_t newly_done) {
      const std::int64_t now = metrics.steps;
      board.post(static_cast<std::int64_t>(newly_done), now - steps);
      steps = now;
      board.share_stop();
      if (progress)
        progress->update(rows_before + static_cast<std::uint64_t>(board.rows_done()), watch.slowest());
    };
    std::exception_ptr error;
    try {
      const ShardContext context{threads, *journal, quarantine, metrics};
      report(0);
      while (!stop_requested()) {
        const auto next = static_cast<std::size_t>(board.take_shard());
        if (next >= missing.size()) break;
        const auto& shard = job.plan.shards()[static_cast<std::size_t>(missing[next])];
        embed_shard(job, identity, shard, context, report);
      }
    } catch (...) {
      error = std::current_exception();
      board.take_all(static_cast<std::int64_t>(missing.size()));
    }
    board.post_finished();
    // The ranks watch each other until the last one is here.
    comm.barrier();
    second.reset();
    watchdog.reset();
    watch.write_metrics(true);
    if (progress) {
      progress->update(rows_before + static_cast<std::uint64_t>(board.rows_done()));
      progress->finish();
    }
    if (error) std::rethrow_exception(error);
    if (stop_requested()) base::fail(base::ExitCode::kInterrupted, stopped_message());
  });
}

}  // namespace

std::filesystem::path shard_path(const std::filesystem::path& folder, int shard) {
  return folder / "embeddings" / fmt::format("shard-{:06}.h5", shard);
}

store::EncoderIdentity encoder_identity(const encoder::Encoder& encoder, const image::DecodeConfig& decode) {
  const auto& fingerprint = encoder.fingerprint();
  return {fingerprint.architecture, fingerprint.weights_sha256,
          fingerprint.preprocessing + ", " + image::describe(decode), fingerprint.dtype};
}

void check_shard_encoder(const std::filesystem::path& shard, const store::EncoderIdentity& found,
                         const store::EncoderIdentity& configured) {
  if (found == configured) return;
  base::fail(base::ExitCode::kMismatch,
             fmt::format("{} was embedded by another encoder ({}) than the configured one ({}); use another "
                         "run directory, or the encoder of this one",
                         shard.string(), found.describe(), configured.describe()));
}

EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm) {
  const auto identity = encoder_identity(job.encoder, job.decode);
  comm.on_root([&] {
    for (const char* name : {"embeddings", "state", "metrics"}) {
      base::make_directories(job.folder / name);
      base::remove_stale_temporaries(job.folder / name);
    }
  });
  const std::vector<int> missing = missing_shards(job, identity, comm);

  const auto state = job.folder / "state";
  const auto quarantine = settle_suspects(
      {job.plan, state, job.part, missing, job.decode, job.encoder.input_spec(), job.retry}, comm);

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

  if (!missing.empty()) work_off(job, identity, missing, quarantine, rows_before, comm);

  comm.on_root([&] { join_shards(job); });
  comm.together([&] { statistics.by_status = count_statuses(job, comm); });
  return statistics;
}

}  // namespace quasar::pipeline
