// Internal to the module: in which order the samples of a shard are read, and what they are called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "exports/export_config.h"
#include "exports/kept_rows.h"

namespace quasar::exports {

std::vector<ManifestLine> read_lines(const Manifest& manifest, std::span<const KeptRow> rows);

/// Places of the rows by source and by place in it, so that tars are read from front to back, one by one.
std::vector<std::size_t> reading_order(std::span<const ManifestLine> lines);

/// Digits alone, as img2dataset names samples: of the shard, then of the row in it.
std::string sample_key(const ExportConfig& config, std::uint64_t shard, std::uint64_t row);

}  // namespace quasar::exports
