// Owns how an evaluation is written: JSON, CSV, and tables for people.
#pragma once

#include <string>

#include "evaluation/evaluate.h"

namespace quasar::evaluation {

/// As JSON: n, srcc, krcc, plcc, plcc_logistic4, plcc_logistic5, rmse, rmse_logistic4, rmse_logistic5, ... of
/// the first scorer, null where undefined with the reason below "undefined"; groups, scorers and comparisons.
std::string evaluation_json(const Evaluation& evaluation);
/// As tables for people.
std::string evaluation_text(const Evaluation& evaluation);
/// As CSV: a line for each scorer and group ("" for all pictures).
std::string evaluation_csv(const Evaluation& evaluation);

}  // namespace quasar::evaluation
