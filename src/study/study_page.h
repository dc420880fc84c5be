// Owns the page of a study and its figures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plot/page.h"
#include "study/cell_work.h"
#include "study/study_config.h"
#include "study/study_result.h"

namespace quasar::study {

/// A drawing under the name of its file, without ".svg".
using NamedFigure = std::pair<std::string, std::string>;

/// Bars over the columns of the table, lines over axes of numbers, a radar where there are three columns or
/// more.
std::vector<NamedFigure> study_figures(const StudyConfig& config, const std::vector<CellSummary>& cells);

/// The anchors of each encoder and anchor data, of the first cell that has them: by principal components and
/// on the line between their centroids, with the separation in the titles. At most a few thousand rows of
/// each side are drawn, evenly spread. `csv`: the numbers, a line each.
std::vector<NamedFigure> projection_figures(const StudyConfig& config, const GridData& grid,
                                            CellWorker& worker, std::string& csv);

/// Pictures of the best, the median and the lowest scores of a cell's corpus.
struct Sheet {
  std::string title;
  std::vector<plot::Thumbnail> pictures;
};
std::vector<Sheet> sheets_of(const StudyConfig& config, std::size_t place, CellWorker& worker);

std::string study_page(const StudyConfig& config, const std::vector<CellSummary>& cells,
                       const std::vector<NamedFigure>& figures, const std::vector<NamedFigure>& projections,
                       const std::vector<Sheet>& sheets);

}  // namespace quasar::study
