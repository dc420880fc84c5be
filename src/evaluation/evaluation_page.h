// Owns the page of an evaluation: what was measured, as tables and figures, in one file of HTML.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "evaluation/evaluate.h"
#include "plot/page.h"

namespace quasar::evaluation {

/// A picture that a scorer and people disagree about.
struct Disagreement {
  std::size_t row = 0;  ///< Of the rated pictures.
  double score = 0;
  double label = 0;
  double expected = 0;  ///< The rating that the fitted curve gives for the score.
};

/// The `most` largest residuals of a scorer's fit (four parameters, else five), largest first, ties by row.
/// Empty where there is no fit.
std::vector<Disagreement> worst_disagreements(const RatedPictures& pictures, const Evaluation& evaluation,
                                              std::size_t scorer, std::size_t most);

/// `disagreements`: by scorer, what to show of worst_disagreements(), or empty. The page names what is
/// undefined and what was left out as evaluation_text() does.
std::string evaluation_page(const RatedPictures& pictures, const Evaluation& evaluation,
                            const std::vector<std::vector<plot::Thumbnail>>& disagreements);

}  // namespace quasar::evaluation
