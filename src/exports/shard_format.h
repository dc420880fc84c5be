// Internal to the module: what an export is written as. A kind of export that comes in shards is one of
// these.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "exports/export.h"
#include "exports/export_config.h"
#include "exports/export_record.h"
#include "exports/kept_rows.h"

namespace quasar::exports {

/// The work of one rank on its shards.
class ShardFormat {
 public:
  virtual ~ShardFormat() = default;
  /// Writes a shard of these rows, whole, under its final name. `done` is called for every row.
  virtual ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                            const std::function<void()>& done) = 0;
  /// Whether the files of a recorded shard are there, as far as names and sizes tell.
  virtual bool is_there(std::uint64_t shard, const ShardRecord& record) const = 0;
  /// On root, when all shards are there: what tells of all of them.
  virtual void finish(const std::vector<ShardRecord>& records) const = 0;
};

/// Writes `path` of the parts of all shards, one behind the other.
void join_parts(const ExportLayout& layout, std::uint64_t shards, const std::filesystem::path& path);

/// The only place where a format becomes an object.
std::unique_ptr<ShardFormat> make_format(const ExportConfig& config, const ExportInput& input,
                                         const Manifest& manifest);

}  // namespace quasar::exports
