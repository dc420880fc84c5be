#include "curation/report_sink.h"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "curation/summary.h"

namespace quasar::curation {

FileSum write_report(const std::filesystem::path& path, const std::string& summary, ReportTally& tally,
                     const FindDetails& find_details, const comm::Communicator& comm) {
  const auto parts = comm.gather(comm.is_root() ? std::string() : tally.packed());
  std::string shown;
  comm.on_root([&] {
    for (std::size_t rank = 1; rank < parts.size(); ++rank) tally.merge(parts[rank]);
    shown = nlohmann::json(shown_ids(tally)).dump();
  });
  comm.broadcast(shown);
  RowDetails details;
  if (find_details) details = find_details(nlohmann::json::parse(shown).get<std::vector<std::string>>());
  FileSum sum;
  comm.on_root([&] {
    const auto report = report_html(summary, tally, details);
    base::write_file_atomically(path, report);
    sum = {report.size(), base::xxh128_hex(std::as_bytes(std::span(report)))};
  });
  return sum;
}

ReportSink::ReportSink(std::filesystem::path path, const Columns& columns, const std::string& ranked_by,
                       std::uint64_t scored, const CurationConfig& config,
                       std::map<std::string, std::string> versions, const FindDetails& find_details,
                       const comm::Communicator& comm)
    : path_(std::move(path)),
      config_(config),
      versions_(std::move(versions)),
      find_details_(find_details),
      comm_(comm),
      tally_(columns, ranked_by, scored) {}

void ReportSink::commit(const CurationResult& result, WrittenFiles& files) {
  const auto sum =
      write_report(path_, summary_json(result, config_, versions_, {}), tally_, find_details_, comm_);
  if (comm_.is_root()) files[path_.filename().string()] = sum;
}

}  // namespace quasar::curation
