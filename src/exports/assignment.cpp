#include "exports/assignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/errors.h"
#include "base/random.h"

namespace quasar::exports {
namespace {

std::string_view format_of(const KeptRow& row) {
  return {row.format.data()};
}

void check_formats(const ExportConfig& config, const std::vector<KeptRow>& rows) {
  const auto without =
      std::count_if(rows.begin(), rows.end(), [](const KeptRow& row) { return format_of(row).empty(); });
  if (without == 0) return;
  base::fail(
      base::ExitCode::kMismatch,
      fmt::format("export.{}.formats: homogeneous needs the column \"format\" of the manifest, which {} "
                  "rows lack; run \"quasar rank\" again (runs embedded by versions before 0.3 do not "
                  "record it)",
                  config.name, without));
}

void check_places(const ExportConfig& config, const std::vector<KeptRow>& rows) {
  const auto without =
      std::count_if(rows.begin(), rows.end(), [](const KeptRow& row) { return row.row == kNoRow; });
  if (without == 0) return;
  base::fail(
      base::ExitCode::kMismatch,
      fmt::format("export.{} needs the column \"row\" of the manifest, which {} rows lack; run \"quasar "
                  "rank\" again",
                  config.name, without));
}

}  // namespace

std::vector<RowSpan> assign(const ExportConfig& config, std::vector<KeptRow>& rows) {
  if (config.order == Order::kShuffle) base::Random(config.seed).shuffle(std::span(rows));
  if (config.order == Order::kPlan) {
    check_places(config, rows);
    std::sort(rows.begin(), rows.end(), [](const KeptRow& a, const KeptRow& b) { return a.row < b.row; });
  }
  const bool apart = config.grouping == Grouping::kHomogeneous;
  if (apart) {
    check_formats(config, rows);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const KeptRow& a, const KeptRow& b) { return format_of(a) < format_of(b); });
  }
  std::vector<RowSpan> shards;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < rows.size(); ++i) {
    const bool full = shards.empty() || shards.back().count == config.rows ||
                      bytes + rows[i].bytes > config.bytes ||
                      (apart && format_of(rows[i]) != format_of(rows[i - 1]));
    if (full) {
      shards.push_back({i, 0});
      bytes = 0;
    }
    ++shards.back().count;
    bytes += rows[i].bytes;
  }
  return shards;
}

}  // namespace quasar::exports
