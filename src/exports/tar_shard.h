// Internal to the module: shards as WebDataset reads them, 00000.tar and so on, with what tells of them:
// 00000_stats.json for each, as img2dataset has it, and index.json, which is wids'.
//
// Samples stand in the order of the export, and are read in that of their sources, tar by tar: the place of
// each is known before anything is read but the small texts that are changed.
#pragma once

#include <optional>

#include "exports/shard_format.h"
#include "exports/tables.h"

namespace quasar::exports {

class TarShards final : public ShardFormat {
 public:
  /// A sample and its place in the tar.
  struct PlacedSample;

  TarShards(const ExportConfig& config, const ExportInput& input, const Manifest& manifest);

  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  /// img2dataset's table of a shard.
  void write_table(std::uint64_t shard, std::span<const KeptRow> rows, std::span<const PlacedSample> samples);

  const ExportConfig& config_;
  const ExportInput& input_;
  const Manifest& manifest_;
  ExportLayout layout_;
  SampleFiles files_;
  std::optional<SampleTable> table_;
};

}  // namespace quasar::exports
