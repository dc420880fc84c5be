// Owns what a study has found: its cells over all draws, as CSV and as tables for papers and people.
#pragma once

#include <string>
#include <vector>

#include "study/cell_result.h"
#include "study/study_config.h"

namespace quasar::study {

/// A cell over its draws.
struct CellSummary {
  std::size_t place = 0;  ///< Of the cell.
  std::vector<CellResult> draws;
  double srcc = 0;           ///< Mean over the draws that have one; NaN where none has.
  double error = 0;          ///< Its standard error, sd / sqrt(draws); NaN for fewer than two.
  double low = 0, high = 0;  ///< Of a single draw its 95% interval; else mean -+ the error. NaN for none.
  double pictures_per_second = 0;  ///< At which the corpus was embedded; 0 where that was not timed.
};

CellSummary summarised(std::size_t place, std::vector<CellResult> draws, double pictures_per_second);

/// A line for each cell and draw: the axes, then what was measured.
std::string study_csv(const StudyConfig& config, const std::vector<CellSummary>& cells);

/// Rows and columns as the study has them; the levels of other axes with more than one level are part of the
/// rows. Cells are the SRCC with two digits more than its error has, or its 95% interval's place.
struct StudyTable {
  std::string row_heading;
  std::vector<std::string> columns;
  std::vector<std::string> rows;
  std::vector<std::vector<const CellSummary*>> cells;  ///< [rows][columns], null where there is none.
};
StudyTable study_table(const StudyConfig& config, const std::vector<CellSummary>& cells);

/// "0.812" or "0.812 ± 0.004"; "-" where undefined.
std::string cell_text(const CellSummary* cell, const std::string& plus_minus);
std::string table_markdown(const StudyTable& table);
std::string table_latex(const StudyTable& table);

}  // namespace quasar::study
