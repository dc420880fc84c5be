#include "curation/manifest.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/packer.h"
#include "base/unpacker.h"
#include "curation/balance.h"
#include "curation/distributed_sort.h"
#include "curation/duplicates.h"
#include "curation/manifest_row.h"
#include "curation/outside_rows.h"
#include "curation/report_sink.h"
#include "curation/scratch_folder.h"
#include "curation/selection.h"
#include "curation/shard_rows.h"
#include "curation/share_progress.h"
#include "curation/summary.h"
#include "curation/text_sink.h"
#include "store/embedding_shard.h"

namespace quasar::curation {
namespace {

using Versions = std::map<std::string, std::string>;

/// Removes the files of an earlier ranking that this one does not replace, and what killed jobs left.
void remove_outdated(const store::RunLayout& run, const CurationConfig& config) {
  base::remove_stale_temporaries(run.root());
  std::error_code ignored;
  if (!config.csv) std::filesystem::remove(run.manifest_csv(), ignored);
  if (!config.jsonl) std::filesystem::remove(run.manifest_jsonl(), ignored);
  if (!config.report) std::filesystem::remove(run.report(), ignored);
}

/// Counts a row, without a copy of the text where it is known.
void count(std::string_view text, RowCounts& counts) {
  const auto counted = counts.find(text);
  if (counted == counts.end()) {
    counts.emplace(text, 1);
  } else {
    ++counted->second;
  }
}

/// The counts of all ranks together. Collective.
RowCounts joined(const RowCounts& counts, const comm::Communicator& comm) {
  std::string mine;
  for (const auto& [text, rows] : counts) {
    base::pack_text(text, mine);
    base::pack(static_cast<std::uint64_t>(rows), mine);
  }
  RowCounts all;
  for (const auto& part : comm.all_gather(mine)) {
    base::Unpacker unpacker(part, "a rank's counts of rows");
    while (!unpacker.done()) {
      const std::string text(unpacker.take_text());
      all[text] += unpacker.take<std::uint64_t>();
    }
  }
  return all;
}

class Ranking {
 public:
  Ranking(const store::RunLayout& run, const RankInput& input, const std::vector<std::string>& sets,
          const CurationConfig& config, const Versions& versions, const std::function<bool()>& stop_requested,
          const FindDetails& find_details, const comm::Communicator& comm)
      : run_(run),
        input_(input),
        config_(config),
        versions_(versions),
        stop_requested_(stop_requested),
        find_details_(find_details),
        comm_(comm),
        rule_(sets, config),
        filters_(config.filters, rule_.names()),
        rows_(input, sets, comm) {
    result_.left_out = input.left_out;
    result_.noted = input.noted;
  }

  CurationResult rank();

 private:
  /// Counts the rows with scores, and gathers the statistics of every score.
  void survey_scores();
  /// The work between the locks: sorts, decides, writes.
  void write_files();
  void collect(DistributedSort& sort);
  /// Decides which of the counted rows are copies of better ones.
  void find_duplicates(SortedSlice& slice, const std::filesystem::path& scratch);
  /// Decides which of the rows that are left make a balanced sample.
  void balance(SortedSlice& slice);
  /// Refuses rows without the hashes that duplicates are found by.
  void check_hashes(std::int64_t without) const;
  std::vector<std::unique_ptr<Sink>> make_sinks(const std::filesystem::path& parts) const;
  void write(SortedSlice& slice, std::span<const std::unique_ptr<Sink>> sinks);
  /// Joins the counts of all ranks.
  void add_up();
  /// Throws where another job has taken over the ranking.
  void confirm_lock() const;
  /// The scores of a row as the manifest has them: combined last when it is a column.
  std::span<const float> with_combined(std::span<const float> scores);

  const store::RunLayout& run_;
  const RankInput& input_;
  const CurationConfig& config_;
  const Versions& versions_;
  const std::function<bool()>& stop_requested_;
  const FindDetails& find_details_;
  const comm::Communicator& comm_;
  ScoreRule rule_;
  Filters filters_;
  ShardRows rows_;
  std::optional<Selection> selection_;
  std::optional<Duplicates> duplicates_;
  std::optional<Balance> balance_;
  ShownColumns shown_;
  std::vector<float> row_scores_;
  CurationResult result_;
  std::optional<base::FileLock> lock_;  ///< On root.
  std::uint64_t local_rows_ = 0;
};

std::span<const float> Ranking::with_combined(std::span<const float> scores) {
  row_scores_.assign(scores.begin(), scores.end());
  if (rule_.has_combined()) row_scores_.push_back(rule_.combined(scores));
  return row_scores_;
}

void Ranking::survey_scores() {
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
}

void Ranking::collect(DistributedSort& sort) {
  const Columns& columns = selection_->columns();
  std::vector<std::int64_t> has_value(columns.size(), 0);
  std::int64_t without_hash = 0;
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
      // An embedding without direction has no score: to the user the encoder failed on the image.
      const auto status =
          scored || record.status != base::RowStatus::kOk ? record.status : base::RowStatus::kEncodeFailed;
      const auto scores = scored ? with_combined(input.scores) : std::span<const float>();
      read_row(columns, {record, status, scores, input.number}, row);
      bool counted = scored && !rule_.first_below_minimum(input.scores);
      if (scored && !config_.filters.empty()) {
        if (const auto fault = filters_.apply(record, scores)) {
          row[columns.index_of(kFilterColumn)] =
              std::uint64_t{2 * fault->filter + 1 + (fault->missing ? 1 : 0)};
          counted = false;
        }
      }
      if (config_.duplicates.perceptual && counted) {
        row[columns.index_of(kPictureColumn)] = std::string_view(record.perceptual_hash);
        row[columns.index_of(kQualityColumn)] = static_cast<std::uint64_t>(record.perceptual_quality + 1);
        const auto digits = static_cast<std::size_t>(config_.duplicates.poses) * kPictureDigits;
        if (record.perceptual_hash.size() < digits) ++without_hash;
      }
      for (std::size_t c = 0; c < columns.size(); ++c) {
        if (columns[c].optional && row[c].index() != 0) has_value[c] = 1;
      }
      pack_row(columns, row, packed);
      SortRecord sorted;
      sorted.key = scored ? descending_key(rule_.ranking_score(input.scores)) : kNoScore;
      sorted.row = input.number;
      sorted.counted = counted;
      sorted.id = record.id;
      sorted.payload = packed;
      sort.add(sorted);
      progress.count();
      ++result_.rows;
      ++result_.by_status[status];
      if (!input.computed_on.empty()) count(input.computed_on, result_.by_computed_on);
    });
  });
  check_hashes(comm_.all_reduce(without_hash, comm::Reduction::kSum));
  comm_.all_reduce(has_value, comm::Reduction::kMax);
  shown_.resize(columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    // What selection fills is known only when it is too late to leave it out.
    shown_[c] = !columns[c].internal && (!columns[c].optional || has_value[c] != 0);
  }
}

void Ranking::check_hashes(std::int64_t without) const {
  if (without == 0) return;
  base::fail(
      base::ExitCode::kMismatch,
      fmt::format("{} rows have no perceptual hash{}, by which curation.duplicates.perceptual finds copies: "
                  "they were embedded without embed.perceptual_hash; embed the corpus in another run "
                  "directory",
                  without, config_.duplicates.poses > 1 ? " of every pose" : ""));
}

void Ranking::find_duplicates(SortedSlice& slice, const std::filesystem::path& scratch) {
  const base::Phase phase("duplicates");
  const Columns& columns = selection_->columns();
  const std::size_t hash = columns.index_of("hash");
  std::optional<OutsideSets> outside;
  comm_.together([&] { outside.emplace(config_.duplicates); });
  duplicates_.emplace(
      config_.duplicates, scratch, static_cast<std::uint64_t>(config_.memory), comm_,
      [&](std::vector<std::uint64_t> rows) { return outside->open_vectors(input_, std::move(rows)); });
  comm_.together([&] {
    base::EncoderIdentity encoder;
    if (!input_.shards.empty()) {
      const auto first = input_.embeddings.shard(input_.shards.front());
      encoder = store::EmbeddingShardReader(first, store::Integrity::kRows).header().encoder;
    }
    outside->for_each(comm_, encoder, [&](std::size_t set, const Fingerprint& print, std::string_view name) {
      duplicates_->add_outside(set, print, name);
    });
    SortRecord record;
    ManifestRow row;
    ShareProgress progress("duplicates", slice.size(), stop_requested_, comm_);
    while (slice.next(record)) {
      progress.count();
      if (!record.counted) continue;
      unpack_row(columns, record.id, record.payload, row);
      Fingerprint print;
      print.bytes_hash = std::get<std::string_view>(row[hash]);
      if (config_.duplicates.perceptual) {
        print.picture = std::get<std::string_view>(row[columns.index_of(kPictureColumn)]);
        print.quality = static_cast<int>(std::get<std::uint64_t>(row[columns.index_of(kQualityColumn)])) - 1;
      }
      print.vector = outside->vectors() + record.row;
      duplicates_->add(print, record.id);
    }
  });
  duplicates_->solve(stop_requested_);
  comm_.together([&] { slice.rewind(); });
}

void Ranking::balance(SortedSlice& slice) {
  const base::Phase phase("balance");
  balance_.emplace(run_, input_, config_.balance, static_cast<std::uint64_t>(config_.memory), comm_);
  comm_.together([&] {
    SortRecord record;
    ShareProgress progress("balance", slice.size(), stop_requested_, comm_);
    std::size_t counted = 0;
    while (slice.next(record)) {
      progress.count();
      if (record.counted && (!duplicates_ || duplicates_->stays(counted++))) balance_->add(record.row);
    }
  });
  balance_->solve(stop_requested_);
  result_.balance = balance_->counts();
  comm_.together([&] { slice.rewind(); });
}

std::vector<std::unique_ptr<Sink>> Ranking::make_sinks(const std::filesystem::path& parts) const {
  const Columns& columns = selection_->columns();
  std::vector<std::unique_ptr<Sink>> sinks;
  if (config_.csv) {
    sinks.push_back(
        std::make_unique<TextSink>(TextFormat::kCsv, run_.manifest_csv(), parts, columns, shown_, comm_));
  }
  if (config_.jsonl) {
    sinks.push_back(std::make_unique<TextSink>(TextFormat::kJsonLines, run_.manifest_jsonl(), parts, columns,
                                               shown_, comm_));
  }
  if (config_.report) {
    sinks.push_back(std::make_unique<ReportSink>(run_.report(), columns, rule_.ranked_by(), result_.scored,
                                                 config_, versions_, find_details_, comm_));
  }
  return sinks;
}

void Ranking::write(SortedSlice& slice, std::span<const std::unique_ptr<Sink>> sinks) {
  const Columns& columns = selection_->columns();
  const std::size_t reason = columns.index_of("reason");
  comm_.together([&] {
    SortRecord record;
    ManifestRow row;
    std::vector<float> scores;
    Place place;
    place.position = slice.first();
    place.eligible_before = slice.counted_before() - (duplicates_ ? duplicates_->gone_before() : 0) -
                            (balance_ ? balance_->gone_before() : 0);
    Fate fate;
    Balanced balanced;
    ShareProgress progress("write manifests", slice.size(), stop_requested_, comm_);
    for (; slice.next(record); ++place.position) {
      unpack_row(columns, record.id, record.payload, row);
      place.scored = place.position < result_.scored;
      place.first_of_score = slice.first_of_key();
      scores.clear();
      for (std::size_t s = 0; place.scored && s < rule_.columns(); ++s)
        scores.push_back(std::get<float>(row[columns.first_score() + s]));
      place.scores = scores;
      if (duplicates_) {
        if (record.counted) fate = duplicates_->next();
        place.fate = record.counted ? &fate : nullptr;
      }
      bool left = record.counted && fate.likeness == Likeness::kNone;
      place.balanced = balance_ && left ? &balanced : nullptr;
      if (place.balanced != nullptr) {
        balanced = balance_->next();
        left = balanced.kept;
      }
      result_.kept += selection_->decide(place, row) ? 1 : 0;
      for (const auto& sink : sinks) sink->write(row);
      progress.count();
      place.eligible_before += left ? 1 : 0;
      count(std::get<std::string_view>(row[reason]), result_.by_reason);
    }
  });
}

void Ranking::add_up() {
  std::vector<std::uint64_t> counts = {result_.rows, result_.kept};
  for (const auto status : base::all_statuses()) counts.push_back(result_.by_status[status]);
  for (const auto& filter : filters_.counts()) counts.insert(counts.end(), {filter.failed, filter.missing});
  comm_.all_reduce(counts, comm::Reduction::kSum);
  result_.rows = counts[0];
  result_.kept = counts[1];
  result_.by_status.clear();
  std::size_t next = 2;
  for (const auto status : base::all_statuses()) {
    if (counts[next] != 0) result_.by_status[status] = counts[next];
    ++next;
  }
  for (const auto& filter : config_.filters) {
    result_.by_filter.emplace_back(filter, FilterCount{counts[next], counts[next + 1]});
    next += 2;
  }
  result_.by_reason = joined(result_.by_reason, comm_);
  result_.by_computed_on = joined(result_.by_computed_on, comm_);
  result_.failed = result_.rows - result_.scored;
  QUASAR_CHECK(result_.by_status[base::RowStatus::kOk] == result_.scored);
  if (result_.scored == 0) result_.by_status.erase(base::RowStatus::kOk);
}

void Ranking::confirm_lock() const {
  comm_.on_root([&] { lock_->confirm(); });
}

void Ranking::write_files() {
  WrittenFiles files;
  {
    const ScratchFolder scratch(run_, comm_);
    std::vector<std::unique_ptr<Sink>> sinks;
    {
      DistributedSort sort(scratch.path(), static_cast<std::uint64_t>(config_.memory), comm_);
      collect(sort);
      SortedSlice slice = sort.finish();
      if (config_.duplicates.any()) find_duplicates(slice, scratch.path());
      if (config_.balance.any()) balance(slice);
      sinks = make_sinks(scratch.path());
      write(slice, sinks);
      // Its files lie in the folder.
      duplicates_.reset();
    }
    add_up();
    for (const auto& sink : sinks) {
      confirm_lock();
      sink->commit(result_, files);
    }
    sinks.clear();
    // Every rank has closed and removed its files: network file systems keep open ones under other names.
    comm_.barrier();
  }
  comm_.on_root([&] {
    lock_->confirm();
    // Last, as it says which files belong together.
    base::write_file_atomically(run_.summary(), summary_json(result_, config_, versions_, files));
  });
}

CurationResult Ranking::rank() {
  survey_scores();
  selection_.emplace(config_, rule_, result_.scored);
  comm_.on_root([&] {
    base::make_directories(run_.state());
    lock_.emplace(
        run_.rank_lock(),
        run_.root().string() + " is being ranked by another job; wait for its end and start this one again");
    remove_outdated(run_, config_);
  });
  try {
    write_files();
  } catch (const base::Error&) {
    // A job that has taken over clears up what it finds: that is the reason then, not what is missing.
    if (lock_) lock_->confirm();
    throw;
  }
  return result_;
}

}  // namespace

CurationResult write_manifests(const store::RunLayout& run, const RankInput& input,
                               const std::vector<std::string>& columns, const CurationConfig& config,
                               const std::map<std::string, std::string>& versions,
                               const comm::Communicator& comm, const std::function<bool()>& stop_requested,
                               const FindDetails& find_details) {
  return Ranking(run, input, columns, config, versions, stop_requested, find_details, comm).rank();
}

}  // namespace quasar::curation
