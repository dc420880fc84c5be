// Owns the logistic functions that the field maps scores to ratings by before it takes Pearson's correlation.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace quasar::evaluation {

enum class LogisticKind {
  /// f(x) = (b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2 (VQEG 2003).
  kFour,
  /// f(x) = b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5 (Sheikh, Sabir, Bovik 2006).
  kFive,
};

struct LogisticFit {
  std::string undefined;           ///< Why there is no fit, as a sentence; empty when there is one.
  std::vector<double> parameters;  ///< b1, b2, ... for x as given. Flat directions leave them indeterminate.
  std::vector<double> fitted;      ///< [n] f(x) of each row.
  double rmse = 0;                 ///< sqrt(mean((f(x) - y)^2)).
  /// Pearson's correlation of f(x) and y; NaN when f is constant. A fit hides the sign: it is positive even
  /// where the raw correlation is negative.
  double plcc = 0;
};

/// The least squares fit of ratings y [n] by scores x [n], all finite: from a start that in standardised x is
/// the field's own, [max y, min y, 0, 1/4], or [max y - min y, sign of the correlation, 0, 0, mean y]. From
/// the field's start in raw x, solvers often stop in a poor optimum. By the Levenberg-Marquardt method as
/// MINPACK has it, to the limit of double precision or, in flat valleys, of 1,000 steps or 7.7 million values
/// of f; where that is fewer than 500 steps, as for more than 15,400 rows, further ones hold the linear
/// parameters at their best, until a step changes the PLCC by less than 1e-9. A second fit starts from the
/// best of a grid of sigmoids, and is taken where its sum of squares is lower by more than a ten-thousandth:
/// then the first start led to a poor minimum, while what is lower by less lies farther down the same valley.
/// The same rows give the same bits on every machine. Throws Error(kMismatch) for sides of different length,
/// Error(kInput) for values that are not finite.
LogisticFit fit_logistic(LogisticKind kind, std::span<const double> x, std::span<const double> y);

}  // namespace quasar::evaluation
