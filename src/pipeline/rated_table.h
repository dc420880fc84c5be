// Owns the reading of tables with scores and ratings: CSV, TSV and JSON lines, among them a run's manifests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluation/evaluate.h"

namespace quasar::pipeline {

/// Which columns hold what; empty: there is no such column.
struct RatedTableColumns {
  std::vector<std::string> scores;
  std::string label;
  std::string group;
  std::string deviation;
  std::string observers;
};

/// Reads the table: JSON lines where the name ends in .jsonl or .ndjson, otherwise a CSV, whose separator is
/// the one by which the header has the column of labels. A text that is no number is counted in `left_out`
/// with its row, an empty one is a value that is missing. Throws Error(kInput) naming file and line when the
/// table is not well-formed or lacks a column.
evaluation::RatedPictures read_rated_table(const std::filesystem::path& path,
                                           const RatedTableColumns& columns);

}  // namespace quasar::pipeline
