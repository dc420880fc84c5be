#include "curation/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/progress.h"
#include "curation/distributed_sort.h"
#include "curation/manifest_row.h"
#include "curation/manifest_writer.h"
#include "curation/report.h"
#include "curation/scratch_folder.h"
#include "curation/selection.h"
#include "curation/shard_rows.h"

namespace quasar::curation {
namespace {

/// Removes the files of an earlier ranking that this one does not replace, and what killed jobs left.
void remove_outdated(const std::filesystem::path& run, const CurationConfig& config) {
  base::remove_stale_temporaries(run);
  std::error_code ignored;
  if (!config.csv) std::filesystem::remove(run / "manifest.csv", ignored);
  if (!config.jsonl) std::filesystem::remove(run / "manifest.jsonl", ignored);
  if (!config.report) std::filesystem::remove(run / "report.html", ignored);
}

/// Counts a rank's way through its share of the rows: looks out for a wish to stop, and reports root's share,
/// to which those of the other ranks are alike.
class ShareProgress {
 public:
  ShareProgress(const char* what, std::uint64_t rows, const std::function<bool()>& stop_requested,
                const comm::Communicator& comm)
      : stop_requested_(stop_requested) {
    look_out();
    if (!comm.is_root() || rows < kWorthReporting) return;
    progress_.emplace(what, "rows", rows);
    progress_->update(0);
  }
  ~ShareProgress() {
    if (progress_) progress_->update(done_);
  }
  ShareProgress(const ShareProgress&) = delete;
  ShareProgress& operator=(const ShareProgress&) = delete;
  void count() {
    if (++done_ % kRowsPerLook != 0) return;
    base::note_activity();
    look_out();
    if (progress_) progress_->update(done_);
  }

 private:
  static constexpr std::uint64_t kWorthReporting = 100'000;
  static constexpr std::uint64_t kRowsPerLook = 4096;

  void look_out() const {
    if (stop_requested_ && stop_requested_()) {
      base::fail(base::ExitCode::kInterrupted,
                 "stopped by a signal while ranking; the same command continues from the stored scores");
    }
  }

  const std::function<bool()>& stop_requested_;
  std::optional<base::Progress> progress_;
  std::uint64_t done_ = 0;
};

class Ranking {
 public:
  Ranking(const std::filesystem::path& run, const RankInput& input, const std::vector<std::string>& columns,
          const CurationConfig& config, const std::function<bool()>& stop_requested,
          const comm::Communicator& comm)
      : run_(run),
        config_(config),
        stop_requested_(stop_requested),
        comm_(comm),
        rule_(columns, config),
        rows_(input, columns, comm) {}

  CurationResult result_of(const std::map<std::string, std::string>& versions);

 private:
  void survey_columns();
  void collect(DistributedSort& sort);
  void write(SortedSlice& slice, const std::filesystem::path& parts);
  RankedFacts rank_row(const SortedSlice& slice, const ManifestRow& row, std::uint64_t position,
                       std::uint64_t eligible_before, std::string& reason) const;
  void add_up();
  void rank(const std::map<std::string, std::string>& versions);
  /// Throws where another job has taken over the ranking.
  void confirm_lock() const;
  std::vector<ReportRow> gather(const std::vector<ReportRow>& mine) const;
  /// The scores of a row as the manifest has them: combined last when it is a column.
  std::span<const float> with_combined(std::span<const float> scores);

  const std::filesystem::path& run_;
  const CurationConfig& config_;
  const std::function<bool()>& stop_requested_;
  const comm::Communicator& comm_;
  ScoreRule rule_;
  ShardRows rows_;
  ManifestShape shape_;
  std::vector<float> row_scores_;
  CurationResult result_;
  std::optional<KeepRule> keep_;
  std::optional<base::FileLock> lock_;  ///< On root.
  WrittenFiles files_;                  ///< On root.
  std::uint64_t local_rows_ = 0;
  std::vector<ReportRow> best_;
  std::vector<ReportRow> worst_;
};

std::span<const float> Ranking::with_combined(std::span<const float> scores) {
  row_scores_.assign(scores.begin(), scores.end());
  if (rule_.has_combined()) row_scores_.push_back(rule_.combined(scores));
  return row_scores_;
}

void Ranking::survey_columns() {
  ColumnSurvey survey(rule_.names().size());
  comm_.together([&] {
    ShareProgress progress("survey", 0, stop_requested_, comm_);
    rows_.for_each_scores([&](std::span<const float> scores) {
      ++local_rows_;
      progress.count();
      if (ScoreRule::is_scored(scores)) survey.add_first(with_combined(scores));
    });
  });
  survey.end_first(comm_);
  comm_.together([&] {
    ShareProgress progress("survey", 0, stop_requested_, comm_);
    rows_.for_each_scores([&](std::span<const float> scores) {
      progress.count();
      if (ScoreRule::is_scored(scores)) survey.add_second(with_combined(scores));
    });
  });
  const auto statistics = survey.end_second(comm_);
  for (std::size_t c = 0; c < statistics.size(); ++c)
    result_.columns.emplace_back(rule_.names()[c], statistics[c]);
  result_.scored = statistics.front().count;
  keep_.emplace(config_, rule_, result_.scored);
}

void Ranking::collect(DistributedSort& sort) {
  std::int64_t has_label = 0;
  std::int64_t has_fields = 0;
  comm_.together([&] {
    std::string packed;
    ManifestRow row;
    ShareProgress progress("sort", local_rows_, stop_requested_, comm_);
    rows_.for_each_row([&](const ShardRows::Row& input) {
      const auto& record = input.record;
      const bool scored = ScoreRule::is_scored(input.scores);
      if (scored && record.status != base::RowStatus::kOk) {
        base::fail(base::ExitCode::kMismatch,
                   "the row '" + record.id + "' has scores although its status is " +
                       std::string(base::status_name(record.status)) +
                       ": its scores are older than its embedding; score the run again");
      }
      row.id = record.id;
      row.source = record.source;
      row.member = record.member;
      row.hash = record.hash;
      row.fields = record.fields;
      row.offset = record.offset;
      row.bytes = record.bytes;
      row.width = static_cast<std::uint32_t>(record.width);
      row.height = static_cast<std::uint32_t>(record.height);
      row.label = record.label;
      // An embedding without direction has no score: to the user the encoder failed on the image.
      row.status =
          scored || record.status != base::RowStatus::kOk ? record.status : base::RowStatus::kEncodeFailed;
      const auto scores = with_combined(input.scores);
      row.scores.assign(scores.begin(), scores.end());
      pack_row(row, packed);
      SortRecord sorted;
      sorted.key = scored ? descending_key(rule_.ranking_score(input.scores)) : kNoScore;
      sorted.row = input.number;
      sorted.counted = scored && !rule_.first_below_minimum(input.scores);
      sorted.id = record.id;
      sorted.payload = packed;
      sort.add(sorted);
      progress.count();
      ++result_.rows;
      ++result_.by_status[row.status];
      if (!std::isnan(record.label)) has_label = 1;
      if (!record.fields.empty()) has_fields = 1;
    });
  });
  shape_.score_columns = rule_.names();
  shape_.label = comm_.all_reduce(has_label, comm::Reduction::kMax) != 0;
  shape_.fields = comm_.all_reduce(has_fields, comm::Reduction::kMax) != 0;
}

RankedFacts Ranking::rank_row(const SortedSlice& slice, const ManifestRow& row, std::uint64_t position,
                              std::uint64_t eligible_before, std::string& reason) const {
  RankedFacts facts;
  Decision decision;
  if (position < result_.scored) {
    decision = keep_->decide(std::span(row.scores).first(rule_.columns()), eligible_before);
    facts.rank = position + 1;
    facts.percentile = 100.0 * static_cast<double>(result_.scored - slice.first_of_key()) /
                       static_cast<double>(result_.scored);
  } else {
    decision = KeepRule::decide_failed(row.status);
  }
  reason = std::move(decision.reason);
  facts.keep = decision.keep;
  facts.reason = reason;
  return facts;
}

void Ranking::write(SortedSlice& slice, const std::filesystem::path& parts) {
  ManifestWriter writer(run_, parts, shape_, config_, comm_);
  comm_.together([&] {
    SortRecord record;
    ManifestRow row;
    std::string reason;
    std::uint64_t eligible = slice.counted_before();
    ShareProgress progress("write manifests", slice.size(), stop_requested_, comm_);
    for (std::uint64_t position = slice.first(); slice.next(record); ++position) {
      unpack_row(record.id, record.payload, row);
      const RankedFacts facts = rank_row(slice, row, position, eligible, reason);
      writer.write(row, facts);
      progress.count();
      eligible += record.counted ? 1 : 0;
      result_.kept += facts.keep ? 1 : 0;
      ++result_.by_reason[reason];
      if (position >= result_.scored) continue;
      const bool best = position < kListedRows;
      const bool worst = position + kListedRows >= result_.scored;
      if (!best && !worst) continue;
      const float score = rule_.ranking_score(std::span(row.scores).first(rule_.columns()));
      const ReportRow listed{facts.rank, score, facts.percentile, facts.keep, std::string(row.id), reason};
      if (best) best_.push_back(listed);
      if (worst) worst_.push_back(listed);
    }
  });
  confirm_lock();
  files_ = writer.commit();
}

/// Joins the counts of all ranks.
void Ranking::add_up() {
  std::vector<std::uint64_t> counts = {result_.rows, result_.kept};
  for (const auto status : base::all_statuses()) counts.push_back(result_.by_status[status]);
  comm_.all_reduce(counts, comm::Reduction::kSum);
  result_.rows = counts[0];
  result_.kept = counts[1];
  result_.by_status.clear();
  std::size_t next = 2;
  for (const auto status : base::all_statuses()) {
    if (counts[next] != 0) result_.by_status[status] = counts[next];
    ++next;
  }
  std::string mine;
  for (const auto& [reason, count] : result_.by_reason) mine += std::to_string(count) + " " + reason + "\n";
  result_.by_reason.clear();
  for (const auto& text : comm_.all_gather(mine)) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      const std::size_t space = text.find(' ', at);
      result_.by_reason[text.substr(space + 1, end - space - 1)] += std::stoull(text.substr(at, space - at));
      at = end + 1;
    }
  }
  result_.failed = result_.rows - result_.scored;
  QUASAR_CHECK(result_.by_status[base::RowStatus::kOk] == result_.scored);
  if (result_.scored == 0) result_.by_status.erase(base::RowStatus::kOk);
}

std::vector<ReportRow> Ranking::gather(const std::vector<ReportRow>& mine) const {
  struct Fixed {
    std::uint64_t rank;
    double percentile;
    float score;
    std::uint32_t keep;
    std::uint32_t id_size;
    std::uint32_t reason_size;
  };
  std::string text;
  for (const auto& row : mine) {
    const Fixed fixed{row.rank,
                      row.percentile,
                      row.score,
                      row.keep ? 1U : 0U,
                      static_cast<std::uint32_t>(row.id.size()),
                      static_cast<std::uint32_t>(row.reason.size())};
    text.append(reinterpret_cast<const char*>(&fixed), sizeof fixed);
    text += row.id + row.reason;
  }
  std::vector<ReportRow> all;
  for (const auto& part : comm_.gather(text)) {
    for (std::size_t at = 0; at < part.size();) {
      Fixed fixed{};
      std::memcpy(&fixed, part.data() + at, sizeof fixed);
      at += sizeof fixed;
      all.push_back({fixed.rank, fixed.score, fixed.percentile, fixed.keep != 0,
                     part.substr(at, fixed.id_size), part.substr(at + fixed.id_size, fixed.reason_size)});
      at += fixed.id_size + fixed.reason_size;
    }
  }
  return all;
}

void Ranking::confirm_lock() const {
  comm_.on_root([&] { lock_->confirm(); });
}

void Ranking::rank(const std::map<std::string, std::string>& versions) {
  {
    const ScratchFolder scratch(run_, comm_);
    {
      DistributedSort sort(scratch.path(), static_cast<std::uint64_t>(config_.memory), comm_);
      collect(sort);
      SortedSlice slice = sort.finish();
      write(slice, scratch.path());
    }
    // Every rank has closed and removed its files: network file systems keep open ones under other names.
    comm_.barrier();
  }
  add_up();
  const auto best = gather(best_);
  const auto worst = gather(worst_);
  comm_.on_root([&] {
    lock_->confirm();
    if (config_.report) {
      const auto report = report_html(result_, config_, versions, best, worst);
      base::write_file_atomically(run_ / "report.html", report);
      files_["report.html"] = {report.size(), base::xxh128_hex(std::as_bytes(std::span(report)))};
    }
    // Last, as it says which files belong together.
    base::write_file_atomically(run_ / "summary.json", summary_json(result_, config_, versions, files_));
  });
}

CurationResult Ranking::result_of(const std::map<std::string, std::string>& versions) {
  survey_columns();
  comm_.on_root([&] {
    base::make_directories(run_ / "state");
    lock_.emplace(
        run_ / "state" / "rank.lock",
        run_.string() + " is being ranked by another job; wait for its end and start this one again");
    remove_outdated(run_, config_);
  });
  try {
    rank(versions);
  } catch (const base::Error&) {
    // A job that has taken over clears up what it finds: that is the reason then, not what is missing.
    if (lock_) lock_->confirm();
    throw;
  }
  return result_;
}

}  // namespace

CurationResult write_manifests(const std::filesystem::path& run, const RankInput& input,
                               const std::vector<std::string>& columns, const CurationConfig& config,
                               const std::map<std::string, std::string>& versions,
                               const comm::Communicator& comm, const std::function<bool()>& stop_requested) {
  return Ranking(run, input, columns, config, stop_requested, comm).result_of(versions);
}

}  // namespace quasar::curation
