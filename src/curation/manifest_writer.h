// Internal to the module: the manifest files of a job. Each rank writes the lines of its slice of the order;
// the files are put together in the order of the ranks and appear whole.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "comm/communicator.h"
#include "curation/curation_config.h"
#include "curation/manifest_row.h"
#include "curation/written_files.h"

namespace quasar::curation {

/// One text file written by all ranks. Construction and commit() are collective.
class JointFile {
 public:
  /// `parts`: a folder that all ranks see. `header` precedes the lines of the first rank.
  JointFile(std::filesystem::path path, const std::filesystem::path& parts, const std::string& header,
            const comm::Communicator& comm);
  /// Adds to this rank's part. Not collective.
  void write(std::string_view text);
  /// What was written, on root; empty elsewhere.
  FileSum commit();

 private:
  /// Adds a rank's part to the whole.
  void append(int rank, std::uint64_t size);
  std::filesystem::path part_path(int rank) const;

  std::filesystem::path path_;
  std::filesystem::path parts_;
  const comm::Communicator& comm_;
  std::unique_ptr<base::AtomicFile> file_;  ///< On root the whole file, elsewhere a part.
  std::uint64_t bytes_ = 0;                 ///< Written to it.
  base::Xxh128 sum_;                        ///< Of these, on root.
};

/// manifest.csv and manifest.jsonl, as far as they are asked for.
class ManifestWriter {
 public:
  ManifestWriter(const std::filesystem::path& run, const std::filesystem::path& parts, ManifestShape shape,
                 const CurationConfig& config, const comm::Communicator& comm);
  void write(const ManifestRow& row, const RankedFacts& facts);
  /// The files, on root.
  WrittenFiles commit();

 private:
  ManifestShape shape_;
  std::optional<JointFile> csv_;
  std::optional<JointFile> json_;
  std::string line_;
};

}  // namespace quasar::curation
