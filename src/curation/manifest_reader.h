// Owns the reading of RUN/manifest.jsonl, as this program writes it: rows as the cells that they were written
// from.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "curation/column.h"
#include "curation/manifest_row.h"

namespace quasar::curation {

class ManifestReader {
 public:
  /// `scores`: names of its score columns. Throws Error(kInput), naming the file, when it is missing or
  /// cannot be read, or its first row is none of a manifest of these.
  ManifestReader(std::filesystem::path path, const std::vector<std::string>& scores);

  /// Its columns; those that selection has added, such as duplicate_of, at the end.
  const Columns& columns() const { return columns_; }
  /// Goes to the next row, whose texts are valid until the next call; false at the end. Throws Error(kInput)
  /// with file and line.
  bool next(ManifestRow& row);

 private:
  bool read_line();

  std::filesystem::path path_;
  std::ifstream file_;
  std::string line_;
  std::size_t number_ = 0;  ///< Of the line, from 1.
  bool peeked_ = false;     ///< The line was read to see the columns.
  std::vector<std::string> texts_;
  Columns columns_;
};

}  // namespace quasar::curation
