// Owns the work on one cell: from stored embeddings to correlations, by one rank alone.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "study/cell_result.h"
#include "study/grid_data.h"
#include "study/rated_set.h"
#include "study/study_config.h"

namespace quasar::study {

/// Good and bad centroids of a cell, and the rows they are of.
struct CellAnchors {
  std::vector<float> good, bad;  ///< [pairs, d], as averaged.
  std::int64_t good_rows = 0;
  std::int64_t bad_rows = 0;
  anchors::AnchorSplit split;  ///< Empty for sets that take no pictures.
};

/// A rank's side of the cells. Data sets that were read are kept, the last used ones, within the study's
/// memory.
class CellWorker {
 public:
  /// `threads`: of this rank, for clustering.
  CellWorker(const StudyConfig& config, const GridData& grid, int threads);

  /// Throws Error(kInput) for anchor data that gives no centroids.
  CellResult compute(std::size_t place, int draw);
  CellAnchors anchors_of(std::size_t place, int draw);
  /// Scores of the cell's corpus, one for each row; NaN where there is none.
  std::vector<double> scores_of(std::size_t place, const CellAnchors& anchors);
  /// The corpus of a cell, or its anchor data. Until the next call.
  RatedSet& set_of(const Cell& cell, bool of_anchors);

 private:
  using Key = std::pair<std::string, std::string>;

  const StudyConfig& config_;
  const GridData& grid_;
  int threads_;
  comm::Communicator alone_ = comm::Communicator::self();
  std::list<std::pair<Key, std::unique_ptr<RatedSet>>> kept_;  ///< The last used first.
};

}  // namespace quasar::study
