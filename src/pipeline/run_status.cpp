#include "pipeline/run_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>
#include <span>

#include "base/errors.h"
#include "base/file_status.h"
#include "base/progress.h"
#include "base/trial.h"
#include "corpus/plan.h"
#include "curation/written_files.h"
#include "store/embedding_shard.h"

namespace quasar::pipeline {
namespace {

constexpr std::size_t kExamples = 3;
constexpr std::size_t kShardsNamed = 10;
/// A rank at work writes its metrics far more often, seconds.
constexpr double kLatelyHeard = 60;
/// Thread time worth a word, seconds.
constexpr double kLeastTold = 0.05;

void read_shard(const store::EmbeddingShardReader& reader, RunStatus& status) {
  const auto statuses = reader.read_statuses();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    ++status.by_status[statuses[i]];
    if (statuses[i] == base::RowStatus::kOk) continue;
    auto& examples = status.examples[statuses[i]];
    if (examples.size() >= kExamples) continue;
    auto row = std::move(reader.read_rows(i, 1).front());
    examples.push_back({std::move(row.id), std::move(row.error)});
  }
  status.rows_finished += statuses.size();
  ++status.shards_finished;
}

/// Reads the shard if it is whole. A look at a run must not read all its embeddings, so nothing is checked
/// before.
bool read_if_whole(const dataset::DataSet& corpus, const corpus::Shard& shard, RunStatus& status) {
  if (!corpus.has(shard, store::Integrity::kUnchecked)) return false;
  read_shard(corpus.open(shard, dataset::WrittenBy::kEarlierJob, store::Integrity::kUnchecked), status);
  return true;
}

std::string numbers(const std::vector<int>& shards) {
  std::string text;
  for (std::size_t i = 0; i < std::min(shards.size(), kShardsNamed); ++i)
    text += fmt::format(" {}", shards[i]);
  if (shards.size() > kShardsNamed) text += " ...";
  return text;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Report {
 public:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  void shards(const RunStatus& status) {
    line("images              {} of {} in finished shards", base::with_thousands(status.rows_finished),
         base::with_thousands(status.rows));
    line("shards              {} of {} finished, {} running, {} missing", status.shards_finished,
         status.shards, status.shards_running.size(), status.shards_missing.size());
    if (!status.shards_running.empty()) line("  running  {}", numbers(status.shards_running));
    if (!status.shards_missing.empty()) line("  missing  {}", numbers(status.shards_missing));
    if (!status.shards_damaged.empty()) {
      line("  damaged  {} (redone by the next run)", numbers(status.shards_damaged));
    }
    line("manifest            {}", status.ranked ? "written" : "not written yet");
    for (const auto& fault : status.manifest_faults) line("  {}", fault);
  }

  void failures(const RunStatus& status) {
    for (const auto& [kind, count] : status.by_status) {
      line("{:19} {}", base::status_name(kind), base::with_thousands(count));
      const auto examples = status.examples.find(kind);
      if (examples == status.examples.end()) continue;
      for (const auto& example : examples->second) line("  {}: {}", example.id, example.error);
    }
  }

  void ranks(const RunStatus& status) {
    for (const auto& rank : status.ranks) {
      std::uint64_t images = 0;
      for (const auto& [kind, count] : rank.images) images += count;
      const double elapsed = std::max(rank.elapsed_s, 1e-3);
      line("{:19} {}, {:.1f}/s, {} read, {}, {}", rank.name, base::counted(images, "image"),
           static_cast<double>(images) / elapsed, base::human_bytes(rank.bytes_read),
           base::counted(rank.shards, "shard"),
           rank.finished
               ? "finished"
               : "heard of " + base::human_duration(std::max(0.0, seconds_since_1970() - rank.written_at)) +
                     " ago");
      std::string times;
      for (std::size_t i = 0; i < pass::kDoings; ++i) {
        if (rank.thread_s[i] < kLeastTold) continue;
        times +=
            fmt::format("{}{} {}", times.empty() ? "" : ", ", pass::doing_name(static_cast<pass::Doing>(i)),
                        base::human_duration(rank.thread_s[i]));
      }
      if (!times.empty()) line("  thread time: {}", times);
      if (rank.finished) continue;
      for (const auto& item : rank.in_flight) {
        line("  {} {} (shard {}) for {}", item.doing, item.id, item.shard,
             base::human_duration(item.seconds));
      }
    }
  }

  /// What bounds the last pass.
  void bottleneck(const RunStatus& status) {
    if (const auto text = pass::describe_bottleneck(pass::work_of(status.ranks)); !text.empty())
      line("{}", text);
  }

  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::set<int> crashing_shards(const dataset::DataSet& corpus) {
  const auto& shards = corpus.plan().shards();
  const auto survives = [&](std::span<const corpus::Shard> some) {
    const auto read = [&] {
      RunStatus ignored;
      for (const auto& shard : some) read_if_whole(corpus, shard, ignored);
    };
    try {
      return !base::lost_in_trial(read, {});
    } catch (const base::Error&) {
      return true;  // Whoever reads them here will meet it.
    }
  };
  std::set<int> crashing;
  if (survives(shards)) return crashing;
  for (const auto& shard : shards) {
    if (!survives({&shard, 1})) crashing.insert(shard.id);
  }
  return crashing;
}

RunStatus read_run_status(const store::RunLayout& run) {
  if (!std::filesystem::exists(base::file_status(run.corpus().plan()))) {
    base::fail(base::ExitCode::kInput, run.root().string() +
                                           " is no run directory: it holds no plan.json, which the "
                                           "start of \"quasar run\" or \"quasar plan --freeze\" writes");
  }
  const dataset::DataSet corpus(run.corpus(), corpus::Plan::load(run.root()));
  const auto& plan = corpus.plan();
  RunStatus status;
  status.rows = plan.item_count();
  status.shards = plan.shards().size();
  status.ranks = pass::read_metrics(run.corpus().metrics());
  status.ranked = std::filesystem::exists(run.manifest_csv());
  status.manifest_faults = curation::check_written_files(run, curation::SumCheck::kSmall);
  std::set<int> running;
  for (const auto& rank : status.ranks) {
    if (rank.finished || seconds_since_1970() - rank.written_at > kLatelyHeard) continue;
    running.insert(rank.open_shards.begin(), rank.open_shards.end());
  }
  const auto crashing = crashing_shards(corpus);
  for (const auto& shard : plan.shards()) {
    if (!crashing.contains(shard.id) && read_if_whole(corpus, shard, status)) continue;
    if (running.contains(shard.id)) {
      status.shards_running.push_back(shard.id);
    } else {
      status.shards_missing.push_back(shard.id);
      if (std::filesystem::exists(corpus.path(shard))) status.shards_damaged.push_back(shard.id);
    }
  }
  return status;
}

std::string describe(const RunStatus& status) {
  Report report;
  report.shards(status);
  report.failures(status);
  report.ranks(status);
  report.bottleneck(status);
  return std::move(report).text();
}

}  // namespace quasar::pipeline
