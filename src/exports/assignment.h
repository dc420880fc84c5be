// Internal to the module: which rows make which shard. It depends on the rows and the settings alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exports/export_config.h"
#include "exports/kept_rows.h"

namespace quasar::exports {

/// A run of rows in the order of an export.
struct RowSpan {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// Brings the rows, which come best first, into the order of the export, and cuts it into shards: as many
/// rows as settings allow, and of as many bytes, but one row at least. With formats apart, the formats follow
/// each other in the order of their names. Throws Error(kMismatch) where they, or places in the plan, are
/// wanted and not recorded.
std::vector<RowSpan> assign(const ExportConfig& config, std::vector<KeptRow>& rows);

}  // namespace quasar::exports
