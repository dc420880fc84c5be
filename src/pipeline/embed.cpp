#include "pipeline/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "comm/work_counter.h"
#include "pipeline/shard_embedder.h"
#include "pipeline/stop_signal.h"
#include "store/virtual_dataset.h"

namespace quasar::pipeline {
namespace {

enum Counter : int { kNextShard = 0, kRowsDone = 1, kCounters = 2 };

/// Shards without a whole file, largest first so that no long one is left for the end; ids of whole ones in
/// `done`.
std::vector<int> missing_shards(const EmbedJob& job, const store::EncoderIdentity& identity,
                                std::vector<int>& done) {
  const std::string plan = job.plan.fingerprint();
  std::vector<corpus::Shard> missing;
  for (const auto& shard : job.plan.shards()) {
    if (!job.part.holds(shard.id)) continue;
    const auto path = shard_path(job.folder, shard.id);
    if (!store::is_whole_shard(path, plan, shard.id, shard.count)) {
      missing.push_back(shard);
      continue;
    }
    const auto found = store::EmbeddingShardReader(path).header().encoder;
    if (!(found == identity)) {
      base::fail(base::ExitCode::kMismatch, path.string() + " was embedded by another encoder (" +
                                                found.describe() + ") than the configured one (" +
                                                identity.describe() +
                                                "); use another run directory, or the encoder of this one");
    }
    done.push_back(shard.id);
  }
  std::stable_sort(missing.begin(), missing.end(), [](const auto& a, const auto& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.count > b.count;
  });
  std::vector<int> ids;
  for (const auto& shard : missing) ids.push_back(shard.id);
  return ids;
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
  const std::string plan = job.plan.fingerprint();
  std::vector<std::filesystem::path> shards;
  for (const auto& shard : job.plan.shards()) {
    shards.push_back(shard_path(job.folder, shard.id));
    if (!job.part.holds(shard.id) && !store::is_whole_shard(shards.back(), plan, shard.id, shard.count)) {
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
  std::vector<int> missing;
  std::vector<int> done;
  comm.on_root([&] {
    base::make_directories(job.folder / "embeddings");
    base::remove_stale_temporaries(job.folder / "embeddings");
    missing = missing_shards(job, identity, done);
  });
  comm.broadcast(missing);
  comm.broadcast(done);

  EmbedStatistics statistics;
  for (const auto& shard : job.plan.shards()) {
    if (!job.part.holds(shard.id)) continue;
    statistics.rows += shard.count;
    ++statistics.shards;
  }
  statistics.shards_found_finished = static_cast<int>(done.size());
  std::uint64_t rows_before = 0;
  for (const int id : done) rows_before += job.plan.shards()[static_cast<std::size_t>(id)].count;
  statistics.embedded_now = statistics.rows - rows_before;

  comm.together([&] {
    // An error on this rank must not keep the others waiting in the counter's collective end.
    comm::WorkCounter counter(comm, kCounters);
    std::optional<base::Progress> progress;
    if (comm.is_root() && !missing.empty()) progress.emplace(job.what, "images", statistics.rows);
    const auto report = [&](std::uint64_t newly_done) {
      if (newly_done > 0) counter.fetch_add(kRowsDone, static_cast<std::int64_t>(newly_done));
      if (progress) progress->update(rows_before + static_cast<std::uint64_t>(counter.read()[kRowsDone]));
    };
    std::exception_ptr error;
    try {
      report(0);
      while (!stop_requested()) {
        const auto next = static_cast<std::size_t>(counter.fetch_add(kNextShard, 1));
        if (next >= missing.size()) break;
        const auto& shard = job.plan.shards()[static_cast<std::size_t>(missing[next])];
        embed_shard(job, identity, shard, comm, report);
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
      base::fail(base::ExitCode::kInterrupted,
                 "stopped by a signal; finished shards are kept and the same command continues from them");
    }
  });

  comm.on_root([&] { join_shards(job); });
  comm.together([&] { statistics.by_status = count_statuses(job, comm); });
  return statistics;
}

}  // namespace quasar::pipeline
