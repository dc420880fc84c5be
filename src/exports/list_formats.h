// Internal to the module: exports that are one file of what a field, or the manifest, says of each row:
// DataComp's uids and URLs. Shards leave parts, which are joined at the end.
#pragma once

#include "exports/shard_format.h"

namespace quasar::exports {

/// A shard's part is what its rows say, one after the other; rows that say nothing are left out.
class RowList : public ShardFormat {
 public:
  RowList(const ExportConfig& config, const Manifest& manifest)
      : config_(config), manifest_(manifest), layout_(config.folder) {}
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) final;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const final;

 protected:
  const ExportConfig& config() const { return config_; }
  const ExportLayout& layout() const { return layout_; }

 private:
  /// What a row says; empty, with the status and error of `why`, when it says nothing.
  virtual std::string text_of(const ManifestLine& line, LeftOut& why) const = 0;

  const ExportConfig& config_;
  const Manifest& manifest_;
  ExportLayout layout_;
};

/// uids.npy: NumPy's format 1.0, dtype [('f0', '<u8'), ('f1', '<u8')], the first and last 64 bits of each
/// uid, ascending; a uid that several rows have comes as often, as in DataComp's own lists.
class UidList final : public RowList {
 public:
  using RowList::RowList;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  std::string text_of(const ManifestLine& line, LeftOut& why) const override;
};

/// urls.txt: a line each, best first.
class UrlList final : public RowList {
 public:
  using RowList::RowList;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  std::string text_of(const ManifestLine& line, LeftOut& why) const override;
};

}  // namespace quasar::exports
