// Owns the result of a cell: a small JSON file of its own, so that a study goes on where it was ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace quasar::study {

struct CellResult {
  std::uint64_t rows = 0;        ///< Of the corpus.
  std::uint64_t n = 0;           ///< Those that have a score and a label.
  std::uint64_t unscored = 0;    ///< Without an embedding, or one without direction.
  std::uint64_t unlabelled = 0;  ///< Scored ones without a finite label.
  std::int64_t good = 0;         ///< Anchors averaged; pairs of prompts.
  std::int64_t bad = 0;
  double srcc = 0, krcc = 0, plcc = 0;  ///< With their signs; NaN where undefined.
  double srcc_low = 0, srcc_high = 0;   ///< 95% interval; NaN where undefined.
  std::string undefined;                ///< Why there is no correlation.
  double seconds = 0;                   ///< That it took, embeddings not counted.
};

/// Throws Error(kOutput).
void write_cell(const std::filesystem::path& file, const CellResult& result);
/// Nothing where there is none, or none that can be read.
std::optional<CellResult> read_cell(const std::filesystem::path& file);

}  // namespace quasar::study
