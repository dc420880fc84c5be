// Owns the reading of RUN/manifest.jsonl, as this program writes it: rows as the cells that they were written
// from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "curation/column.h"
#include "curation/manifest_lines.h"
#include "curation/manifest_row.h"

namespace quasar::curation {

/// Not to be moved.
class ManifestReader {
 public:
  /// `scores`: names of its score columns. Throws Error(kInput), naming the file, when it is missing or
  /// cannot be read, or its first row is none of a manifest of these.
  ManifestReader(std::filesystem::path path, const std::vector<std::string>& scores);

  /// Its columns; those that selection has added, such as duplicate_of, at the end.
  const Columns& columns() const { return columns_; }
  /// Goes to the next row, whose texts are valid until the next call; false at the end. Throws Error(kInput)
  /// with file and line, and what ManifestLines::Cursor throws.
  bool next(ManifestRow& row);

 private:
  ManifestLines lines_;
  ManifestLines::Cursor cursor_;
  std::vector<std::string> texts_;
  Columns columns_;
};

}  // namespace quasar::curation
