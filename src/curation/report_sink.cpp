#include "curation/report_sink.h"

#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::curation {
namespace {

struct Fixed {
  std::uint64_t rank;
  double percentile;
  float score;
  std::uint32_t keep;
};

}  // namespace

ReportSink::ReportSink(std::filesystem::path path, const Columns& columns, const std::string& ranked_by,
                       std::uint64_t scored, const CurationConfig& config,
                       std::map<std::string, std::string> versions, const comm::Communicator& comm)
    : path_(std::move(path)),
      config_(config),
      versions_(std::move(versions)),
      comm_(comm),
      scored_(scored),
      rank_(columns.index_of("rank")),
      id_(columns.id()),
      score_(columns.index_of(ranked_by)),
      percentile_(columns.index_of("percentile")),
      keep_(columns.index_of("keep")),
      reason_(columns.index_of("reason")) {}

void ReportSink::write(const ManifestRow& row) {
  const auto* rank = std::get_if<std::uint64_t>(&row[rank_]);
  if (rank == nullptr) return;
  const bool best = *rank <= kListedRows;
  const bool worst = *rank + kListedRows > scored_;
  if (!best && !worst) return;
  const ReportRow listed{*rank,
                         std::get<float>(row[score_]),
                         std::get<double>(row[percentile_]),
                         std::get<bool>(row[keep_]),
                         std::string(std::get<std::string_view>(row[id_])),
                         std::string(std::get<std::string_view>(row[reason_]))};
  if (best) best_.push_back(listed);
  if (worst) worst_.push_back(listed);
}

std::vector<ReportRow> ReportSink::gather(const std::vector<ReportRow>& mine) const {
  std::string text;
  for (const auto& row : mine) {
    const Fixed fixed{row.rank, row.percentile, row.score, row.keep ? 1U : 0U};
    base::pack(fixed, text);
    base::pack_text(row.id, text);
    base::pack_text(row.reason, text);
  }
  std::vector<ReportRow> all;
  for (const auto& part : comm_.gather(text)) {
    base::Unpacker unpacker(part, "a rank's rows of the report");
    while (!unpacker.done()) {
      const auto fixed = unpacker.take<Fixed>();
      const auto id = unpacker.take_text();
      const auto reason = unpacker.take_text();
      all.push_back(
          {fixed.rank, fixed.score, fixed.percentile, fixed.keep != 0, std::string(id), std::string(reason)});
    }
  }
  return all;
}

void ReportSink::commit(const CurationResult& result, WrittenFiles& files) {
  const auto best = gather(best_);
  const auto worst = gather(worst_);
  comm_.on_root([&] {
    const auto report = report_html(result, config_, versions_, best, worst);
    base::write_file_atomically(path_, report);
    files[path_.filename().string()] = {report.size(), base::xxh128_hex(std::as_bytes(std::span(report)))};
  });
}

}  // namespace quasar::curation
