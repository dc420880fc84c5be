// Owns the passes over the rows of a logistic fit: values, residuals, and the triangular factor of the
// Jacobian, block by block, in loops that are vectorised.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "evaluation/logistic_fit.h"

namespace quasar::evaluation {

constexpr std::size_t kMostParameters = 5;
using Parameters = std::array<double, kMostParameters>;
/// By column; below the diagonal 0.
using Triangle = std::array<std::array<double, kMostParameters + 1>, kMostParameters + 1>;

/// Rows that are looked at together: their columns lie in the first cache.
constexpr std::size_t kBlockRows = 256;
using BlockColumn = std::array<double, kBlockRows>;

/// The rows of a fit, with the sigmoid of each for the parameters that are tried and those that were taken.
/// Results do not depend on the machine: the order of all additions is fixed.
class LogisticRows {
 public:
  /// u [n], y [n], finite.
  LogisticRows(LogisticKind kind, std::span<const double> u, std::span<const double> y);

  /// How many parameters the function has.
  std::size_t parameters() const;
  std::size_t size() const { return size_; }

  /// The norm of the residuals at these parameters, which are tried with it.
  double norm_at(const Parameters& b);
  /// Sets the parameters in which the function is linear to their least squares, given the others (the idea
  /// of variable projection: Golub and Pereyra 1973), and gives the norm of the residuals there. Parameters
  /// that have no one best value stay.
  double project(Parameters& b);
  /// The parameters that were tried last are those of the Jacobian below.
  void take() { tried_.swap(taken_); }

  /// R of a factorisation [J | r] = Q R of the Jacobian J and the residuals r; parameters() + 1 columns.
  /// Each block goes below the R of those before it, and Householder's reflections bring that to a triangle
  /// again (Golub and Van Loan 2013, 5.2).
  Triangle factor(const Parameters& b);
  /// [n] f of each row at these parameters.
  std::vector<double> fitted(const Parameters& b);

 private:
  /// Beyond the last row all is 0.
  struct Block {
    BlockColumn u, y;
    std::size_t rows;
  };

  void residuals(const Block& block, const Parameters& b, const BlockColumn& s, BlockColumn& residual) const;
  void reduce(Triangle& r, std::size_t columns, std::size_t rows);

  LogisticKind kind_;
  std::size_t size_;
  std::vector<Block> blocks_;
  std::vector<BlockColumn> tried_, taken_;
  std::array<BlockColumn, kMostParameters + 1> work_{};
};

}  // namespace quasar::evaluation
