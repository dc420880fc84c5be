// Internal to the module: exports that are Parquet tables: of the manifest, and beside embeddings.
#pragma once

#include "exports/shard_format.h"
#include "exports/tables.h"

namespace quasar::exports {

/// 00000.parquet and so on: rows of the manifest, in its order.
class ManifestTables final : public ShardFormat {
 public:
  ManifestTables(const ExportConfig& config, const ExportInput& input, const Manifest& manifest)
      : manifest_(manifest), layout_(config.folder), table_(manifest, input.corpus) {}
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& /*records*/) const override {}

 private:
  const Manifest& manifest_;
  ExportLayout layout_;
  ManifestTable table_;
};

/// As clip-retrieval has them: img_emb/img_emb_0.npy [n, d] and metadata/metadata_0.parquet, row by row, in
/// the order of the plan, in which embeddings lie. The vectors are as stored, not divided by their norms.
class EmbeddingTables final : public ShardFormat {
 public:
  EmbeddingTables(const ExportConfig& config, const ExportInput& input, const Manifest& manifest)
      : config_(config),
        input_(input),
        manifest_(manifest),
        layout_(config.folder),
        table_(manifest, input.corpus) {}
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& /*records*/) const override {}

 private:
  std::filesystem::path vectors(std::uint64_t shard) const;
  std::filesystem::path metadata(std::uint64_t shard) const;

  const ExportConfig& config_;
  const ExportInput& input_;
  const Manifest& manifest_;
  ExportLayout layout_;
  ManifestTable table_;
};

}  // namespace quasar::exports
