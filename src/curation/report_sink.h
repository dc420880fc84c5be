// Internal to the module: the report as a sink: it keeps the rows that it lists and becomes a page at the
// end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "curation/curation_config.h"
#include "curation/report.h"
#include "curation/sink.h"

namespace quasar::curation {

class ReportSink : public Sink {
 public:
  /// `ranked_by`: name of the column that rows are ranked by. `scored`: rows with scores in the whole run.
  /// `config` and `comm` outlive the sink.
  ReportSink(std::filesystem::path path, const Columns& columns, const std::string& ranked_by,
             std::uint64_t scored, const CurationConfig& config, std::map<std::string, std::string> versions,
             const comm::Communicator& comm);
  void write(const ManifestRow& row) override;
  void commit(const CurationResult& result, WrittenFiles& files) override;

 private:
  /// Root's, those of all ranks in order.
  std::vector<ReportRow> gather(const std::vector<ReportRow>& mine) const;

  std::filesystem::path path_;
  const CurationConfig& config_;
  std::map<std::string, std::string> versions_;
  const comm::Communicator& comm_;
  std::uint64_t scored_;
  std::size_t rank_;
  std::size_t id_;
  std::size_t score_;
  std::size_t percentile_;
  std::size_t keep_;
  std::size_t reason_;
  std::vector<ReportRow> best_;
  std::vector<ReportRow> worst_;
};

}  // namespace quasar::curation
