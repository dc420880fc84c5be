// Internal to the module: what an export keeps of itself in FOLDER/.quasar, by which it goes on: export.json
// (of which manifest, by which settings) and a record for each finished shard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "exports/sample_files.h"

namespace quasar::exports {

/// A kept row that is not in the export.
struct LeftOut {
  std::string id;
  std::string source;
  std::string status;  ///< As manifests have it, or "changed".
  std::string error;
};

/// A finished shard.
struct ShardRecord {
  std::uint64_t rows = 0;     ///< That fell to it.
  std::uint64_t samples = 0;  ///< Of them in it.
  std::uint64_t bytes = 0;    ///< Of its file.
  std::string md5;            ///< Of its file.
  std::vector<LeftOut> left_out;
  Notes notes;
};

/// Names in the folder of an export.
class ExportLayout {
 public:
  explicit ExportLayout(std::filesystem::path folder) : folder_(std::move(folder)) {}
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path state() const { return folder_ / ".quasar"; }
  std::filesystem::path lock() const { return state() / "export.lock"; }
  std::filesystem::path identity() const { return state() / "export.json"; }
  std::filesystem::path rows() const { return state() / "rows"; }  ///< In the order of the export.
  std::filesystem::path left_out() const { return state() / "left_out.jsonl"; }
  std::filesystem::path record(std::uint64_t shard) const;
  /// What a shard has for a file that is made of all of them.
  std::filesystem::path part(std::uint64_t shard) const;
  /// "00000" and `ending`, below the folder.
  std::filesystem::path shard(std::uint64_t shard, const std::string& ending) const;
  /// Folders of embeddings and of the tables beside them, in exports that have them.
  std::filesystem::path vectors() const { return folder_ / "img_emb"; }
  std::filesystem::path metadata() const { return folder_ / "metadata"; }

 private:
  std::filesystem::path folder_;
};

/// Throws Error(kMismatch) when the folder is there, no export's, and holds files.
void check_folder(const ExportLayout& layout);

/// Ties the folder to a manifest and to settings. Throws Error(kMismatch), saying what differs, when it is
/// tied to others or holds files that no export has written.
void claim_folder(const ExportLayout& layout, const std::string& manifest_xxh128,
                  const std::string& settings);

void write_record(const ExportLayout& layout, std::uint64_t shard, const ShardRecord& record);
/// Nothing where there is none, or a damaged one.
std::optional<ShardRecord> read_record(const ExportLayout& layout, std::uint64_t shard);

}  // namespace quasar::exports
