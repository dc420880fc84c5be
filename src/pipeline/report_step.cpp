#include "pipeline/report_step.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/activity.h"
#include "base/packer.h"
#include "base/stop_signal.h"
#include "base/unpacker.h"
#include "curation/cell_text.h"
#include "curation/rewrite_report.h"
#include "pipeline/thumbnails.h"

namespace quasar::pipeline {
namespace {

constexpr std::size_t kRowsForReport = 4096;

/// What this rank's shards have of the rows. Not collective.
curation::RowDetails details_here(const RunConfig& config, const dataset::DataSet& corpus,
                                  dataset::WrittenBy embeddings, const std::vector<std::string>& ids,
                                  const comm::Communicator& comm) {
  curation::RowDetails details;
  if (ids.empty()) return details;
  const std::unordered_set<std::string> wanted(ids.begin(), ids.end());
  std::vector<std::size_t> rows;
  std::vector<std::string> pictures;
  for (const auto& shard : corpus.shards_of_rank(comm.rank(), comm.size())) {
    const auto reader = corpus.open(shard, embeddings, store::Integrity::kRows);
    for (std::size_t first = 0; first < reader.size(); first += kRowsForReport) {
      base::end_if_stopped();
      const auto records = reader.read_rows(first, std::min(kRowsForReport, reader.size() - first));
      for (std::size_t i = 0; i < records.size(); ++i) {
        const auto id = curation::as_json_reads(records[i].id);
        if (!wanted.contains(id)) continue;
        if (records[i].status == base::RowStatus::kOk) {
          rows.push_back(shard.first + first + i);
          pictures.push_back(id);
        }
        details[id].error = records[i].error;
      }
    }
  }
  auto thumbnails = thumbnails_of(config, corpus, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) details[pictures[i]].picture = std::move(thumbnails[i]);
  return details;
}

curation::RowDetails gathered(const curation::RowDetails& here, const comm::Communicator& comm) {
  std::string text;
  for (const auto& [id, detail] : here) {
    for (const auto* part :
         {&id, &detail.error, &detail.picture.media_type, &detail.picture.bytes, &detail.picture.missing})
      base::pack_text(*part, text);
  }
  curation::RowDetails all;
  for (const auto& part : comm.gather(text)) {
    base::Unpacker unpacker(part, "a rank's pictures of the report");
    while (!unpacker.done()) {
      auto& detail = all[std::string(unpacker.take_text())];
      detail.error = unpacker.take_text();
      detail.picture.media_type = unpacker.take_text();
      detail.picture.bytes = unpacker.take_text();
      detail.picture.missing = unpacker.take_text();
    }
  }
  return all;
}

}  // namespace

curation::FindDetails details_finder(const RunConfig& config, const dataset::DataSet& corpus,
                                     dataset::WrittenBy embeddings, const comm::Communicator& comm) {
  return [&config, &corpus, embeddings, &comm](const std::vector<std::string>& ids) {
    const base::Phase phase("report");
    curation::RowDetails here;
    comm.together([&] { here = details_here(config, corpus, embeddings, ids, comm); });
    return gathered(here, comm);
  };
}

void report_step(const RunConfig& config, const dataset::DataSet& corpus, const comm::Communicator& comm) {
  curation::rewrite_report(config.run, details_finder(config, corpus, dataset::WrittenBy::kEarlierJob, comm),
                           comm);
}

}  // namespace quasar::pipeline
