#include "pipeline/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "comm/work_counter.h"
#include "pipeline/item_decoder.h"
#include "pipeline/journal.h"
#include "pipeline/quarantine.h"
#include "pipeline/shard_embedder.h"
#include "pipeline/stop_signal.h"
#include "pipeline/watchdog.h"
#include "store/virtual_dataset.h"

namespace quasar::pipeline {
namespace {

enum Counter : int {
  kNextShard = 0,
  kRowsDone = 1,
  kStops = 2,  ///< Ranks that were asked to stop; a launcher may forward a signal to one of them only.
  kCounters = 3
};

constexpr auto kWatchPeriod = std::chrono::milliseconds(200);

/// Whether the shard's file is there, whole, undamaged and of this encoder. A damaged one is said to be so.
bool is_finished(const EmbedJob& job, const store::EncoderIdentity& identity, const corpus::Shard& shard) {
  const auto path = shard_path(job.folder, shard.id);
  if (!store::is_whole_shard(path, shard.sha256, shard.id, shard.count) ||
      !store::verify_shard(path)) {
    if (std::filesystem::exists(path)) {
      base::log_warning("{} is damaged, or of other images: its {} images are embedded anew", path.string(),
                        shard.count);
    }
    return false;
  }
  const auto found = store::EmbeddingShardReader(path).header().encoder;
  if (!(found == identity)) {
    base::fail(base::ExitCode::kMismatch, path.string() + " was embedded by another encoder (" +
                                              found.describe() + ") than the configured one (" +
                                              identity.describe() +
                                              "); use another run directory, or the encoder of this one");
  }
  return true;
}

/// Shards that are not finished, largest first so that no long one is left for the end. Every rank reads its
/// share of the files, to the last byte. Collective.
std::vector<int> missing_shards(const EmbedJob& job, const store::EncoderIdentity& identity,
                                const comm::Communicator& comm) {
  const auto& shards = job.plan.shards();
  std::vector<std::int64_t> finished(shards.size(), 0);
  comm.together([&] {
    for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < shards.size();
         i += static_cast<std::size_t>(comm.size())) {
      if (!job.part.holds(shards[i].id)) continue;
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

std::map<base::RowStatus, std::uint64_t> count_statuses(const EmbedJob& job, const comm::Communicator& comm) {
  std::vector<std::uint64_t> counts(256, 0);
  const auto& shards = job.plan.shards();
  for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < shards.size();
       i += static_cast<std::size_t>(comm.size())) {
    if (!job.part.holds(shards[i].id)) continue;
    for (const auto status :
         store::EmbeddingShardReader(shard_path(job.folder, shards[i].id)).read_statuses()) {
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
    if (!job.part.holds(shard.id) && !store::is_whole_shard(shards.back(), shard.sha256, shard.id, shard.count)) {
      base::log_info("part {} of {} is done; others are not, embeddings.h5 is left to them", job.part.index,
                     job.part.count);
      return;
    }
  }
  store::write_virtual_dataset(job.folder / "embeddings.h5", shards);
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

EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm) {
  const auto identity = encoder_identity(job.encoder, job.decode);
  comm.on_root([&] {
    for (const char* name : {"embeddings", "state"}) {
      base::make_directories(job.folder / name);
      base::remove_stale_temporaries(job.folder / name);
    }
  });
  const std::vector<int> missing = missing_shards(job, identity, comm);

  const auto state = job.folder / "state";
  const auto quarantine =
      settle_suspects({job.plan, state, job.part, missing, job.decode, job.encoder.input_spec()}, comm);

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

  comm.together([&] {
    // An error on this rank must not keep the others waiting in the counter's collective end.
    comm::WorkCounter counter(comm, kCounters);
    std::optional<base::Progress> progress;
    if (comm.is_root() && !missing.empty()) progress.emplace(job.what, "images", statistics.rows);
    bool told = false;
    const auto report = [&](std::uint64_t newly_done) {
      if (newly_done > 0) counter.fetch_add(kRowsDone, static_cast<std::int64_t>(newly_done));
      const bool tell = stop_requested() && !told;
      told = told || tell;
      if (counter.fetch_add(kStops, tell ? 1 : 0) > 0) request_stop();
      if (progress) progress->update(rows_before + static_cast<std::uint64_t>(counter.read()[kRowsDone]));
    };
    std::exception_ptr error;
    try {
      const EmbedThreads threads = threads_of_rank(job.threads, comm);
      Journal journal(state, comm.rank(), threads.decode);
      const double hung_after = hung_after_seconds(job.decode);
      const Watchdog watchdog(kWatchPeriod, [&] { end_if_hung(journal, hung_after); });
      const ShardContext context{threads, journal, quarantine};
      report(0);
      while (!stop_requested()) {
        const auto next = static_cast<std::size_t>(counter.fetch_add(kNextShard, 1));
        if (next >= missing.size()) break;
        const auto& shard = job.plan.shards()[static_cast<std::size_t>(missing[next])];
        embed_shard(job, identity, shard, context, report);
      }
    } catch (...) {
      error = std::current_exception();
      // Takes what is left off the counter, so that the other ranks stop after their shard.
      counter.fetch_add(kNextShard, static_cast<std::int64_t>(missing.size()));
    }
    comm.barrier();
    if (progress) {
      progress->update(rows_before + static_cast<std::uint64_t>(counter.read()[kRowsDone]));
      progress->finish();
    }
    if (error) std::rethrow_exception(error);
    if (stop_requested()) {
      base::fail(base::ExitCode::kInterrupted, stopped_message());
    }
  });

  comm.on_root([&] { join_shards(job); });
  comm.together([&] { statistics.by_status = count_statuses(job, comm); });
  return statistics;
}

}  // namespace quasar::pipeline
