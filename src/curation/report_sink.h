// Internal to the module: the report as a sink: it tallies rows and becomes a page at the end.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "curation/curation_config.h"
#include "curation/report.h"
#include "curation/sink.h"

namespace quasar::curation {

/// Joins the tallies of all ranks in `tally` of root, finds details, and writes the page on root. Collective.
/// `summary`: of root, as report_html() has it. Throws Error(kOutput).
FileSum write_report(const std::filesystem::path& path, const std::string& summary, ReportTally& tally,
                     const FindDetails& find_details, const comm::Communicator& comm);

class ReportSink : public Sink {
 public:
  /// `ranked_by`: name of the column that rows are ranked by. `scored`: rows with scores in the whole run.
  /// `config`, `columns`, `find_details` and `comm` outlive the sink.
  ReportSink(std::filesystem::path path, const Columns& columns, const std::string& ranked_by,
             std::uint64_t scored, const CurationConfig& config, std::map<std::string, std::string> versions,
             const FindDetails& find_details, const comm::Communicator& comm);
  void write(const ManifestRow& row) override { tally_.add(row); }
  void commit(const CurationResult& result, WrittenFiles& files) override;

 private:
  std::filesystem::path path_;
  const CurationConfig& config_;
  std::map<std::string, std::string> versions_;
  const FindDetails& find_details_;
  const comm::Communicator& comm_;
  ReportTally tally_;
};

}  // namespace quasar::curation
