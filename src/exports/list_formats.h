// Internal to the module: exports that are one file of what a field, or the manifest, says of each row:
// DataComp's uids and URLs. Shards leave parts, which are joined at the end.
#pragma once

#include "exports/shard_format.h"

namespace quasar::exports {

/// uids.npy: NumPy's format 1.0, dtype [('f0', '<u8'), ('f1', '<u8')], the first and last 64 bits of each
/// uid, ascending; a uid that several rows have comes as often, as in DataComp's own lists.
class UidList final : public ShardFormat {
 public:
  UidList(const ExportConfig& config, const Manifest& manifest)
      : config_(config), manifest_(manifest), layout_(config.folder) {}
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  const ExportConfig& config_;
  const Manifest& manifest_;
  ExportLayout layout_;
};

/// urls.txt: a line each, best first.
class UrlList final : public ShardFormat {
 public:
  UrlList(const ExportConfig& config, const Manifest& manifest)
      : config_(config), manifest_(manifest), layout_(config.folder) {}
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  const ExportConfig& config_;
  const Manifest& manifest_;
  ExportLayout layout_;
};

}  // namespace quasar::exports
