#include "curation/rewrite_report.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/stop_signal.h"
#include "curation/manifest_reader.h"
#include "curation/ranking_summary.h"
#include "curation/report_sink.h"
#include "curation/written_files.h"

namespace quasar::curation {
namespace {

/// Refuses a manifest that the summary is not of.
void check_manifest(const store::RunLayout& run) {
  // The report is what is about to be written.
  const auto faults = check_written_files(run, SumCheck::kSmall, run.manifest_jsonl());
  if (!faults.empty())
    base::fail(base::ExitCode::kMismatch, faults.front() + "; \"quasar rank\" writes both again");
}

}  // namespace

void rewrite_report(const store::RunLayout& run, const FindDetails& find_details,
                    const comm::Communicator& comm) {
  std::optional<base::FileLock> lock;
  std::optional<ReportTally> tally;
  std::optional<Columns> columns;
  RankingSummary ranked;
  comm.on_root([&] {
    lock.emplace(
        run.rank_lock(),
        run.root().string() + " is being ranked by another job, which makes the report; wait for its end");
    ranked = read_ranking_summary(run);
    check_manifest(run);
    ManifestReader reader(run.manifest_jsonl(), ranked.scores);
    columns.emplace(reader.columns());
    tally.emplace(*columns, ranked.ranked_by, ranked.scored);
    ManifestRow row;
    while (reader.next(row)) {
      base::end_if_stopped();
      tally->add(row);
    }
  });
  if (!comm.is_root()) {
    columns.emplace(std::vector<std::string>{"score"});
    tally.emplace(*columns, "score", 0);
  }
  const auto sum = write_report(run.report(), ranked.json.dump(), *tally, find_details, comm);
  comm.on_root([&] {
    lock->confirm();
    auto& written = ranked.json["files"][run.report().filename().string()];
    const nlohmann::ordered_json now = {{"bytes", sum.bytes}, {"xxh128", sum.xxh128}};
    if (written == now) return;
    written = now;
    base::write_file_atomically(run.summary(), ranked.json.dump(2) + "\n");
  });
}

}  // namespace quasar::curation
