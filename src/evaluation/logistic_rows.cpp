#include "evaluation/logistic_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace quasar::evaluation {
namespace {

/// exp(z) for |z| <= 700 to 2 units in the last place, without branches, tables or calls, so that loops over
/// it are vectorised: 2^k exp(r) with |r| <= ln(2) / 2, and the series of exp(r) to r^13 / 13!.
inline double fast_exp(double z) {
  constexpr double kLog2E = 1.4426950408889634;
  // ln 2 in two parts (Cody and Waite 1980): products of the first with k have no error.
  constexpr double kLn2High = 6.93147180369123816490e-01;
  constexpr double kLn2Low = 1.90821492927058770002e-10;
  // Numbers near it have a last place of 1: what is added is rounded to an integer in the low bits.
  constexpr double kRounder = 0x1.8p52;
  const double shifted = z * kLog2E + kRounder;
  const double k = shifted - kRounder;
  const double r = (z - k * kLn2High) - k * kLn2Low;
  double series = 1.0 / 6227020800.0;
  series = series * r + 1.0 / 479001600.0;
  series = series * r + 1.0 / 39916800.0;
  series = series * r + 1.0 / 3628800.0;
  series = series * r + 1.0 / 362880.0;
  series = series * r + 1.0 / 40320.0;
  series = series * r + 1.0 / 5040.0;
  series = series * r + 1.0 / 720.0;
  series = series * r + 1.0 / 120.0;
  series = series * r + 1.0 / 24.0;
  series = series * r + 1.0 / 6.0;
  series = series * r + 0.5;
  series = series * r + 1.0;
  series = series * r + 1.0;
  constexpr std::uint64_t kBias = 1023;
  constexpr unsigned kFractionBits = 52;
  return series * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + kBias) << kFractionBits);
}

/// 1 / (1 + exp(-z)).
inline double sigmoid(double z) {
  constexpr double kFarthest = 700;
  return 1.0 / (1.0 + fast_exp(-std::min(std::max(z, -kFarthest), kFarthest)));
}

/// Sums run in so many parts, which do not depend on each other, whatever the width of the machine's vectors:
/// the order of additions is the same everywhere.
constexpr std::size_t kLanes = 8;

double dot(const BlockColumn& a, const BlockColumn& b) {
  std::array<double, kLanes> sums{};
  for (std::size_t i = 0; i < kBlockRows; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void sigmoids(LogisticKind kind, const Parameters& b, const BlockColumn& u, BlockColumn& s) {
  if (kind == LogisticKind::kFour) {
    const double steepness = 1 / b[3];
    for (std::size_t i = 0; i < kBlockRows; ++i) s[i] = sigmoid((u[i] - b[2]) * steepness);
  } else {
    for (std::size_t i = 0; i < kBlockRows; ++i) s[i] = sigmoid(-b[1] * (u[i] - b[2]));
  }
}

void values(LogisticKind kind, const Parameters& b, const BlockColumn& u, const BlockColumn& s,
            BlockColumn& value) {
  if (kind == LogisticKind::kFour) {
    for (std::size_t i = 0; i < kBlockRows; ++i) value[i] = (b[0] - b[1]) * s[i] + b[1];
  } else {
    for (std::size_t i = 0; i < kBlockRows; ++i) value[i] = b[0] * (0.5 - s[i]) + b[3] * u[i] + b[4];
  }
}

/// The derivatives by the parameters.
void derivatives(LogisticKind kind, const Parameters& b, const BlockColumn& u, const BlockColumn& s,
                 BlockColumn* by) {
  if (kind == LogisticKind::kFour) {
    const double steepness = 1 / b[3];
    const double height = -(b[0] - b[1]) * steepness;
    for (std::size_t i = 0; i < kBlockRows; ++i) {
      const double rest = 1 - s[i];
      const double slope = height * s[i] * rest;
      by[0][i] = s[i];
      by[1][i] = rest;
      by[2][i] = slope;
      by[3][i] = slope * (u[i] - b[2]) * steepness;
    }
  } else {
    for (std::size_t i = 0; i < kBlockRows; ++i) {
      const double slope = b[0] * s[i] * (1 - s[i]);
      by[0][i] = 0.5 - s[i];
      by[1][i] = slope * (u[i] - b[2]);
      by[2][i] = -slope * b[1];
      by[3][i] = u[i];
      by[4][i] = 1;
    }
  }
}

void clear_beyond(BlockColumn& column, std::size_t rows) {
  std::fill(column.begin() + static_cast<std::ptrdiff_t>(rows), column.end(), 0.0);
}

}  // namespace

LogisticRows::LogisticRows(LogisticKind kind, std::span<const double> u, std::span<const double> y)
    : kind_(kind),
      size_(u.size()),
      blocks_((size_ + kBlockRows - 1) / kBlockRows),
      tried_(blocks_.size()),
      taken_(blocks_.size()) {
  for (std::size_t i = 0; i < size_; ++i) {
    blocks_[i / kBlockRows].u[i % kBlockRows] = u[i];
    blocks_[i / kBlockRows].y[i % kBlockRows] = y[i];
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i].rows = std::min(kBlockRows, size_ - i * kBlockRows);
}

std::size_t LogisticRows::parameters() const {
  return kind_ == LogisticKind::kFour ? 4 : 5;
}

double LogisticRows::norm_at(const Parameters& b) {
  double squares = 0;
  auto& residual = work_[0];
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    sigmoids(kind_, b, blocks_[i].u, tried_[i]);
    residuals(blocks_[i], b, tried_[i], residual);
    squares += dot(residual, residual);
  }
  return std::sqrt(squares);
}

double LogisticRows::project(Parameters& b) {
  const bool four = kind_ == LogisticKind::kFour;
  const std::size_t columns = four ? 2 : 3;
  Triangle r{};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const auto& u = blocks_[i].u;
    auto& s = tried_[i];
    sigmoids(kind_, b, u, s);
    for (std::size_t row = 0; row < kBlockRows; ++row) {
      work_[0][row] = four ? s[row] : 0.5 - s[row];
      work_[1][row] = four ? 1 - s[row] : u[row];
      work_[2][row] = 1;
    }
    work_[columns] = blocks_[i].y;
    reduce(r, columns + 1, blocks_[i].rows);
  }
  std::array<double, 3> best{};
  for (std::size_t k = columns; k-- > 0;) {
    double rest = r[columns][k];
    for (std::size_t j = k + 1; j < columns; ++j) rest -= r[j][k] * best[j];
    best[k] = rest / r[k][k];
    if (!std::isfinite(best[k])) return norm_at(b);
  }
  b[0] = best[0];
  (four ? b[1] : b[3]) = best[1];
  if (!four) b[4] = best[2];
  return std::abs(r[columns][columns]);
}

Triangle LogisticRows::factor(const Parameters& b) {
  Triangle r{};
  const std::size_t n = parameters();
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    derivatives(kind_, b, blocks_[i].u, taken_[i], work_.data());
    residuals(blocks_[i], b, taken_[i], work_[n]);
    reduce(r, n + 1, blocks_[i].rows);
  }
  return r;
}

std::vector<double> LogisticRows::fitted(const Parameters& b) {
  std::vector<double> all;
  all.reserve(size_);
  auto& value = work_[0];
  auto& s = work_[1];
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    sigmoids(kind_, b, blocks_[i].u, s);
    values(kind_, b, blocks_[i].u, s, value);
    all.insert(all.end(), value.begin(), value.begin() + static_cast<std::ptrdiff_t>(blocks_[i].rows));
  }
  return all;
}

void LogisticRows::residuals(const Block& block, const Parameters& b, const BlockColumn& s,
                             BlockColumn& residual) const {
  values(kind_, b, block.u, s, residual);
  for (std::size_t i = 0; i < kBlockRows; ++i) residual[i] -= block.y[i];
  clear_beyond(residual, block.rows);
}

void LogisticRows::reduce(Triangle& r, std::size_t columns, std::size_t rows) {
  for (std::size_t k = 0; k < columns; ++k) clear_beyond(work_[k], rows);
  for (std::size_t k = 0; k < columns; ++k) {
    const double below = dot(work_[k], work_[k]);
    if (below == 0) continue;
    const double head = r[k][k];
    const double norm = std::sqrt(head * head + below);
    r[k][k] = head > 0 ? -norm : norm;
    const double first = head - r[k][k];
    const double scale = 2 / (first * first + below);
    for (std::size_t j = k + 1; j < columns; ++j) {
      const double share = scale * (first * r[j][k] + dot(work_[k], work_[j]));
      r[j][k] -= share * first;
      for (std::size_t i = 0; i < kBlockRows; ++i) work_[j][i] -= share * work_[k][i];
    }
  }
}

}  // namespace quasar::evaluation
