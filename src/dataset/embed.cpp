#include "dataset/embed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <sstream>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/progress.h"
#include "dataset/await_written.h"
#include "dataset/open_shard.h"
#include "dataset/rank_embedder.h"
#include "dataset/shard_encoder.h"
#include "pass/rank_metrics.h"
#include "pass/run_pass.h"
#include "store/virtual_dataset.h"

namespace quasar::dataset {
namespace {

constexpr auto kMetricsPeriod = std::chrono::seconds(2);

/// RUN/metrics/rank-N.prom of this rank, written now and then. Jobs on other parts of the plan have files of
/// their own.
class MetricsFile {
 public:
  MetricsFile(const EmbedJob& job, int rank, const pass::Crew& crew, const pass::RankMetrics& metrics)
      : rank_(rank),
        crew_(crew),
        path_(job.set.files().metrics_file(job.part.index, job.part.count, rank)),
        metrics_(metrics),
        start_(std::chrono::steady_clock::now()),
        written_(start_) {}

  void write_when_due(RankEmbedder& embedder) {
    // What a job was at when it was ended must not be written over while it lets go of that.
    if (embedder.stopping()) return;
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
          rank_, elapsed, now, finished, crew_, embedder.open_shards(), embedder.in_flight_table().items()};
      base::write_file_atomically(path_, pass::to_prometheus(metrics_, stamp));
    } catch (const std::exception& error) {
      if (!std::exchange(warned_, true)) base::log_warning("no metrics: {}", error.what());
    }
  }

 private:
  const int rank_;
  const pass::Crew crew_;
  const std::filesystem::path path_;
  const pass::RankMetrics& metrics_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point written_;
  bool warned_ = false;
};

/// Removes what an earlier pass of more ranks has left.
void remove_old_metrics(const EmbedJob& job) {
  const auto prefix = store::DataSetLayout::metrics_prefix(job.part.index, job.part.count);
  for (const auto& entry : std::filesystem::directory_iterator(job.set.files().metrics())) {
    if (entry.path().filename().string().starts_with(prefix)) std::filesystem::remove(entry.path());
  }
}

/// Rows by status.
using StatusCounts = std::vector<std::uint64_t>;
constexpr std::size_t kStatuses = 256;

void count_rows(const std::vector<base::RowStatus>& statuses, StatusCounts& counts) {
  for (const auto status : statuses) ++counts[static_cast<std::size_t>(status)];
}

/// What a pass finds of an earlier one.
struct Found {
  std::vector<int> missing;           ///< Places of shards that are not finished, the largest first.
  StatusCounts rows;                  ///< Of the finished ones that this rank has looked at.
  std::set<std::string> computed_on;  ///< Likewise.
};

/// Whether the shard's file is there, whole, undamaged and of this encoder, and holds no row to retry. A
/// damaged one is said to be so. Adds what it holds to `found`.
bool is_finished(const EmbedJob& job, const base::EncoderIdentity& identity, const corpus::Shard& shard,
                 Found& found) {
  const auto path = job.set.path(shard);
  const auto reader = store::open_verified_shard(path);
  if (!reader || !reader->is_of(shard.sha256, shard.count)) {
    if (std::filesystem::exists(path)) {
      base::log_warning("{} is damaged, or of other images: its {} images are embedded anew", path.string(),
                        shard.count);
    }
    return false;
  }
  check_shard_encoder(path, reader->header().encoder, identity);
  found.computed_on.insert(reader->header().computed_on.begin(), reader->header().computed_on.end());
  if (job.shared != nullptr) job.shared->offer(job.set, shard, false);
  const auto statuses = reader->read_statuses();
  const auto is_retried = [&](base::RowStatus status) { return job.retry && job.retry->covers(status); };
  if (std::ranges::any_of(statuses, is_retried)) return false;
  count_rows(statuses, found.rows);
  return true;
}

/// Places in the plan of the part's shards.
std::vector<std::size_t> shards_of_part(const EmbedJob& job) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < job.set.plan().shards().size(); ++i) {
    if (job.part.holds(job.set.plan().shards()[i].id)) places.push_back(i);
  }
  return places;
}

/// Warns where embeddings of one data set are computed on several kinds of processor. `found`: those of
/// shards that are there. Collective.
void warn_of_mixed_kinds(const EmbedJob& job, const std::set<std::string>& found, bool work,
                         const comm::Communicator& comm) {
  std::string mine;
  for (const auto& kind : found) mine += kind + "\n";
  if (work) mine += job.encoder.computed_on() + "\n";
  std::set<std::string> all;
  for (const auto& text : comm.gather(mine)) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) all.insert(line);
  }
  if (all.size() < 2) return;
  std::string listed;
  for (const auto& kind : all) listed += "\n  " + kind;
  base::log_warning(
      "{}: embeddings of one data set are computed on several kinds of processor, whose last digits may "
      "differ, "
      "and with them the order of rows of nearly equal scores; embed.cpu_capability holds them to what all "
      "have:{}",
      job.what, listed);
}

/// Looks at all files, which are read to the last byte. The largest shards come first so that no long one is
/// left for the end. Collective.
Found find_finished(const EmbedJob& job, const base::EncoderIdentity& identity,
                    const comm::Communicator& comm) {
  const auto& shards = job.set.plan().shards();
  const auto places = shards_of_part(job);
  std::vector<std::int64_t> finished(shards.size(), 0);
  // On a new run there is nothing to report.
  const bool any = !std::filesystem::is_empty(job.set.files().embeddings());
  Found found{{}, StatusCounts(kStatuses, 0), {}};
  pass::run_pass({"check " + job.what, any ? "shards" : "", places.size(), places.size()}, comm,
                 [&](pass::ShardFeed& feed) {
                   while (const auto next = feed.next()) {
                     const auto place = places[*next];
                     finished[place] = is_finished(job, identity, shards[place], found) ? 1 : 0;
                     feed.add_done(1);
                   }
                 });
  comm.all_reduce(std::span(finished), comm::Reduction::kMax);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (finished[i] == 0 && job.part.holds(shards[i].id)) found.missing.push_back(static_cast<int>(i));
  }
  warn_of_mixed_kinds(job, found.computed_on, !found.missing.empty(), comm);
  std::stable_sort(found.missing.begin(), found.missing.end(), [&](int left, int right) {
    const auto& a = shards[static_cast<std::size_t>(left)];
    const auto& b = shards[static_cast<std::size_t>(right)];
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.count > b.count;
  });
  return found;
}

/// Takes over what other runs have left of the missing shards, which are then no longer missing. How many.
/// Collective.
int take_shared(const EmbedJob& job, std::vector<int>& missing, const comm::Communicator& comm) {
  if (job.shared == nullptr || job.retry) return 0;
  std::vector<int> there;
  std::uint64_t rows = 0;
  comm.on_root([&] {
    job.shared->prepare();
    for (const int place : missing) {
      const auto& shard = job.set.plan().shards()[static_cast<std::size_t>(place)];
      if (!job.shared->holds(shard)) continue;
      there.push_back(place);
      rows += shard.count;
    }
  });
  comm.broadcast(there);
  if (there.empty()) return 0;
  const int threads = threads_of_rank(job.threads, comm).decode;
  std::vector<std::int64_t> taken(there.size(), 0);
  pass::run_pass({"share " + job.what, "images", there.size(), rows}, comm, [&](pass::ShardFeed& feed) {
    while (const auto next = feed.next()) {
      const auto& shard = job.set.plan().shards()[static_cast<std::size_t>(there[*next])];
      const auto max_bytes = static_cast<std::uint64_t>(job.decode.max_file_bytes);
      taken[*next] = job.shared->take(job.set, shard, max_bytes, threads) ? 1 : 0;
      feed.add_done(shard.count);
    }
  });
  comm.all_reduce(std::span(taken), comm::Reduction::kMax);
  std::set<int> gone;
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (taken[i] != 0) gone.insert(there[i]);
  }
  std::erase_if(missing, [&](int place) { return gone.contains(place); });
  const auto count = static_cast<int>(gone.size());
  if (comm.is_root() && count > 0) {
    base::log_info("{}: {} of {} taken over from other runs, their pictures compared by their bytes",
                   job.what, count, base::counted(there.size(), "shard"));
  }
  return count;
}

/// All rows of the part: those of shards that were found finished, and of `written`, which this pass has
/// made. Collective.
std::map<base::RowStatus, std::uint64_t> count_statuses(const EmbedJob& job, StatusCounts counts,
                                                        const std::vector<int>& written,
                                                        const comm::Communicator& comm) {
  const pass::PassJob pass{"count " + job.what,        "shards", written.size(), written.size(), 0, {},
                           base::Progress::Brief::kYes};
  if (!written.empty()) {
    pass::run_pass(pass, comm, [&](pass::ShardFeed& feed) {
      while (const auto next = feed.next()) {
        const auto& shard = job.set.plan().shards()[static_cast<std::size_t>(written[*next])];
        const auto reader = job.set.open(shard, WrittenBy::kThisJob, store::Integrity::kUnchecked);
        count_rows(reader.read_statuses(), counts);
        feed.add_done(1);
      }
    });
  }
  comm.all_reduce(std::span(counts), comm::Reduction::kSum);
  std::map<base::RowStatus, std::uint64_t> by_status;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) by_status[static_cast<base::RowStatus>(i)] = counts[i];
  }
  return by_status;
}

/// Writes the virtual dataset unless shards of other parts are missing still. What this pass has not written
/// (`changed`) lies in it as it did: shards keep their names and their rows.
void join_shards(const EmbedJob& job, bool changed) {
  if (!changed && store::is_virtual_dataset_of(job.set.files().joined(), job.set.plan().item_count())) return;
  std::vector<std::filesystem::path> shards;
  for (const auto& shard : job.set.plan().shards()) {
    shards.push_back(job.set.path(shard));
    if (job.part.holds(shard.id)) await_written(shards.back());
    if (!job.part.holds(shard.id) && !job.set.has(shard, store::Integrity::kUnchecked)) {
      base::log_info("part {} of {} is done; others are not, embeddings.h5 is left to them", job.part.index,
                     job.part.count);
      return;
    }
  }
  store::write_virtual_dataset(job.set.files().joined(), shards);
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

/// Says, once for the job, what bounded it. Collective.
void tell_bottleneck(const pass::RankMetrics& metrics, const pass::Crew& crew,
                     const comm::Communicator& comm) {
  // Whole microseconds: sums that do not depend on the order of ranks.
  constexpr double kUnits = 1e6;
  pass::PassWork mine{metrics.threads.seconds(), crew, 0, static_cast<double>(metrics.bytes_read.load())};
  for (const auto& count : metrics.images) mine.images += static_cast<double>(count.load());
  std::vector<std::int64_t> sums;
  const auto each = [](pass::PassWork& work, const auto& use) {
    for (auto& seconds : work.time) use(seconds, kUnits);
    for (double* value : {&work.crew.ranks, &work.crew.decode_threads, &work.crew.encode_threads,
                          &work.crew.gpu_ranks, &work.images, &work.bytes_read})
      use(*value, 1.0);
  };
  each(mine, [&](double value, double units) { sums.push_back(std::llround(value * units)); });
  comm.all_reduce(std::span(sums), comm::Reduction::kSum);
  pass::PassWork work;
  auto sum = sums.begin();
  each(work, [&](double& value, double units) { value = static_cast<double>(*sum++) / units; });
  const auto text = pass::describe_bottleneck(work);
  if (comm.is_root() && !text.empty()) base::log_info("{}", text);
}

/// Embeds the missing shards. Collective.
void work_off(const EmbedJob& job, const base::EncoderIdentity& identity, const std::vector<int>& missing,
              std::uint64_t rows_before, const comm::Communicator& comm) {
  const EmbedThreads threads = threads_of_rank(job.threads, comm);
  comm.on_root([&] { remove_old_metrics(job); });
  pass::RankMetrics metrics;
  const pass::Crew crew{1, static_cast<double>(threads.decode), static_cast<double>(threads.encode),
                        job.encoder.device() == "cpu" ? 0.0 : 1.0};
  MetricsFile file(job, comm.rank(), crew, metrics);
  std::optional<RankEmbedder> embedder;
  comm.together([&] { embedder.emplace(job, identity, missing, threads, metrics); });
  std::uint64_t total = rows_before;
  for (const int place : missing) total += job.set.plan().shards()[static_cast<std::size_t>(place)].count;
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
  tell_bottleneck(metrics, crew, comm);
}

/// Writes a shard from vectors that others have made.
void import_shard(const EmbedJob& job, const base::EncoderIdentity& identity, const corpus::Shard& shard) {
  OpenShard open(job, shard, static_cast<std::size_t>(job.batch_size));
  std::vector<float> values(job.vectors->dimension());
  for (std::size_t row = 0; row < open.size(); ++row) {
    const auto& item = open.reader().item(row);
    open.row(row) = row_of(item);
    if (const auto found = job.vectors->find(item.id)) {
      job.vectors->read(*found, values);
      open.keep(row, values);
    } else {
      open.row(row).status = base::RowStatus::kMissing;
      open.row(row).error = "the imported vectors hold none of this id";
    }
  }
  open.write(identity);
}

/// Imports the missing shards. Collective.
void import_shards(const EmbedJob& job, const base::EncoderIdentity& identity,
                   const std::vector<int>& missing, const comm::Communicator& comm) {
  std::uint64_t rows = 0;
  for (const int place : missing) rows += job.set.plan().shards()[static_cast<std::size_t>(place)].count;
  pass::run_pass({"import " + job.what, "rows", missing.size(), rows}, comm, [&](pass::ShardFeed& feed) {
    while (const auto next = feed.next()) {
      const auto& shard = job.set.plan().shards()[static_cast<std::size_t>(missing[*next])];
      import_shard(job, identity, shard);
      feed.add_done(shard.count);
    }
  });
}

}  // namespace

EmbedStatistics embed(const EmbedJob& job, const comm::Communicator& comm) {
  const auto identity = encoder_identity(job.encoder, job.decode);
  comm.on_root([&] {
    for (const auto& folder : {job.set.files().embeddings(), job.set.files().metrics()}) {
      base::make_directories(folder);
      base::remove_stale_temporaries(folder);
    }
  });
  comm.together([&] {
    await_written(job.set.files().embeddings());
    await_written(job.set.files().metrics());
  });
  auto found = find_finished(job, identity, comm);
  const auto unfinished = found.missing;
  auto& missing = found.missing;
  EmbedStatistics statistics;
  statistics.shards_shared = take_shared(job, missing, comm);
  for (const auto& shard : job.set.plan().shards()) {
    if (!job.part.holds(shard.id)) continue;
    statistics.rows += shard.count;
    ++statistics.shards;
  }
  statistics.shards_found_finished = statistics.shards - static_cast<int>(missing.size());
  for (const int id : missing)
    statistics.embedded_now += job.set.plan().shards()[static_cast<std::size_t>(id)].count;
  const std::uint64_t rows_before = statistics.rows - statistics.embedded_now;

  if (!missing.empty() && job.vectors != nullptr) {
    import_shards(job, identity, missing, comm);
  } else if (!missing.empty()) {
    work_off(job, identity, missing, rows_before, comm);
  }

  comm.on_root([&] { join_shards(job, !unfinished.empty()); });
  statistics.by_status = count_statuses(job, std::move(found.rows), unfinished, comm);
  return statistics;
}

}  // namespace quasar::dataset
