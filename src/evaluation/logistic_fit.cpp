#include "evaluation/logistic_fit.h"

#include <cminpack-1/cminpack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "base/errors.h"
#include "evaluation/correlation.h"
#include "evaluation/logistic_rows.h"

namespace quasar::evaluation {
namespace {

double norm_of(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// A step's linear problem as lmpar() takes it: R P^T = Q^T J with the columns in descending order of what is
/// left of them, and Q^T r.
struct Linear {
  std::array<double, kMostParameters * kMostParameters> r{};  ///< By column, n apart.
  std::array<int, kMostParameters> order{};                   ///< From 1.
  Parameters qtf{};
  Parameters norms{};  ///< Of J's columns.
};

Linear pivoted(const Triangle& factor, std::size_t n) {
  Linear linear;
  std::array<Parameters, kMostParameters> columns{};
  for (std::size_t j = 0; j < n; ++j) {
    std::copy_n(factor[j].begin(), j + 1, columns[j].begin());
    linear.norms[j] = norm_of(columns[j]);
    linear.order[j] = static_cast<int>(j) + 1;
    linear.qtf[j] = factor[n][j];
  }
  for (std::size_t k = 0; k < n; ++k) {
    const auto left = [&](std::size_t j) { return norm_of(std::span(columns[j]).subspan(k, n - k)); };
    std::size_t largest = k;
    for (std::size_t j = k + 1; j < n; ++j) largest = left(j) > left(largest) ? j : largest;
    std::swap(columns[k], columns[largest]);
    std::swap(linear.order[k], linear.order[largest]);
    const double norm = left(k);
    if (norm == 0) break;
    Parameters reflector = columns[k];
    const double diagonal = reflector[k] > 0 ? -norm : norm;
    reflector[k] -= diagonal;
    const auto reflect = [&](Parameters& column) {
      double product = 0;
      double squares = 0;
      for (std::size_t i = k; i < n; ++i) {
        product += reflector[i] * column[i];
        squares += reflector[i] * reflector[i];
      }
      for (std::size_t i = k; i < n; ++i) column[i] -= 2 * product / squares * reflector[i];
    };
    for (std::size_t j = k; j < n; ++j) reflect(columns[j]);
    reflect(linear.qtf);
  }
  for (std::size_t j = 0; j < n; ++j)
    std::copy_n(columns[j].begin(), n, linear.r.begin() + static_cast<std::ptrdiff_t>(j * n));
  return linear;
}

/// One fit by the Levenberg-Marquardt method, with a trust region scaled by the largest norms of the
/// Jacobian's columns so far (More 1978), of which lmpar() finds the step.
class Minimiser {
 public:
  /// `total`: the sum of squares of y about its mean. `projecting`: the linear parameters are set to their
  /// best in every step from the first.
  Minimiser(LogisticRows& rows, double total, bool projecting)
      : rows_(rows),
        n_(rows.parameters()),
        total_(total),
        followed_(projecting ? 0 : std::min(kMostCalls, kMostRowCalls / rows.size())) {}

  /// From these parameters to the minimum that they lead to. Gives the norm of the residuals there.
  double minimise(Parameters& b) {
    norm_ = rows_.norm_at(b);
    rows_.take();
    for (bool more = std::isfinite(norm_) && norm_ > 0; more;) {
      linear_ = pivoted(rows_.factor(b), n_);
      const bool first = radius_ == 0;
      for (std::size_t j = 0; j < n_; ++j) scale_[j] = std::max(scale_[j], linear_.norms[j]);
      if (first) begin(b);
      Step step;
      do {
        step = try_step(b, first);
        more = norm_ > 0 && !is_last(step, b);
      } while (more && !step.accepted);
    }
    return norm_;
  }

 private:
  struct Step {
    double actual = 0;     ///< What the sum of squares lost of itself.
    double predicted = 0;  ///< What a linear function would lose.
    bool accepted = false;
  };

  void begin(const Parameters& b) {
    constexpr double kFirstRadius = 100;
    for (auto& scale : scale_) scale = scale == 0 ? 1 : scale;
    radius_ = kFirstRadius * scaled_norm(b);
    if (radius_ == 0) radius_ = kFirstRadius;
  }

  Step try_step(Parameters& b, bool first) {
    Parameters moves{};
    std::array<Parameters, 3> work{};
    lmpar(static_cast<int>(n_), linear_.r.data(), static_cast<int>(n_), linear_.order.data(), scale_.data(),
          linear_.qtf.data(), radius_, &damping_, moves.data(), work[0].data(), work[1].data(),
          work[2].data());
    Parameters next = b;
    for (std::size_t j = 0; j < n_; ++j) next[j] -= moves[j];
    const double length = scaled_norm(moves);
    if (first) radius_ = std::min(radius_, length);
    const double norm = projects() ? rows_.project(next) : rows_.norm_at(next);
    ++calls_;
    Step step;
    constexpr double kFarWorse = 10;
    const double relative = norm / norm_;
    step.actual = relative < kFarWorse ? 1 - relative * relative : -1;
    const double linear = norm_of_moved(moves) / norm_;
    const double damped = std::sqrt(damping_) * length / norm_;
    step.predicted = linear * linear + 2 * damped * damped;
    adapt(step, linear * linear + damped * damped, length);
    constexpr double kLeastRatio = 1e-4;
    step.accepted = step.predicted != 0 && step.actual >= kLeastRatio * step.predicted;
    if (step.accepted) {
      b = next;
      norm_ = norm;
      rows_.take();
    }
    return step;
  }

  /// The region that the linear function is trusted in grows where it was right, and shrinks where it was
  /// not.
  void adapt(const Step& step, double slope, double length) {
    const double ratio = step.predicted == 0 ? 0 : step.actual / step.predicted;
    if (!(ratio > 0.25)) {
      // To the minimum of the parabola through what is known of the way.
      const double parabola = step.actual >= 0 ? 0.5 : 0.5 * slope / (slope - 0.5 * step.actual);
      const double shrink = step.actual > -1 ? std::max(parabola, 0.1) : 0.1;
      radius_ = shrink * std::min(radius_, 10 * length);
      damping_ /= shrink;
    } else if (damping_ == 0 || ratio >= 0.75) {
      radius_ = 2 * length;
      damping_ /= 2;
    }
  }

  /// Steps along flat valleys, some of which go to infinity, are counted in hundreds, each of which gains
  /// less than the one before. They are followed as far as this: where that is not far, as there are many
  /// rows, the linear parameters are set to their best in every further step, with which a valley is left in
  /// some ten.
  bool projects() const { return calls_ >= followed_ && followed_ < kFar; }

  bool is_last(const Step& step, const Parameters& b) const {
    // To the limit of double precision.
    constexpr double kTolerance = 1e-15;
    if (std::abs(step.actual) <= kTolerance && step.predicted <= kTolerance &&
        step.actual <= 2 * step.predicted)
      return true;
    if (radius_ <= kTolerance * scaled_norm(b) || calls_ >= followed_ + kProjected) return true;
    if (!projects()) return calls_ >= followed_;
    // The correlation r of function and ratings follows from the sum of squares, r^2 = 1 - squares / total: a
    // change of the squares by a share d of them changes r by d (1 - r^2) / 2r.
    constexpr double kLeastGain = 1e-9;
    const double unexplained = std::min(1.0, norm_ * norm_ / total_);
    return (step.accepted ? step.actual : step.predicted) * unexplained <=
           2 * kLeastGain * std::sqrt(1 - unexplained);
  }

  double scaled_norm(const Parameters& p) const {
    Parameters scaled{};
    for (std::size_t j = 0; j < n_; ++j) scaled[j] = scale_[j] * p[j];
    return norm_of(scaled);
  }

  /// Of J times the step.
  double norm_of_moved(const Parameters& moves) const {
    Parameters moved{};
    for (std::size_t j = 0; j < n_; ++j) {
      for (std::size_t i = 0; i <= j; ++i)
        moved[i] += linear_.r[j * n_ + i] * moves[static_cast<std::size_t>(linear_.order[j] - 1)];
    }
    return norm_of(moved);
  }

  /// Calls: how often the function was evaluated for all rows.
  static constexpr std::size_t kMostCalls = 1000;
  static constexpr std::size_t kMostRowCalls = 7'700'000;
  static constexpr std::size_t kFar = 500;
  static constexpr std::size_t kProjected = 200;

  LogisticRows& rows_;
  std::size_t n_;
  double total_;
  std::size_t followed_;
  Linear linear_;
  Parameters scale_{};
  double norm_ = 0;  ///< Of the residuals.
  double radius_ = 0;
  double damping_ = 0;
  std::size_t calls_ = 1;
};

double squares_of(std::span<const double> y) {
  return moments_of(y).variance * static_cast<double>(y.size());
}

/// Of sigmoids of these steepnesses at these places of u, that which fits best with the other parameters at
/// theirs, and the minimum it leads to. Judged by some thousand rows, spread evenly.
Parameters best_of_grid(LogisticKind kind, std::span<const double> u, std::span<const double> y) {
  constexpr std::size_t kJudged = 4096;
  const std::size_t stride = std::max<std::size_t>(1, u.size() / kJudged);
  std::vector<double> some_u;
  std::vector<double> some_y;
  for (std::size_t i = 0; i < u.size(); i += stride) {
    some_u.push_back(u[i]);
    some_y.push_back(y[i]);
  }
  LogisticRows rows(kind, some_u, some_y);
  Parameters best{};
  double least = std::numeric_limits<double>::infinity();
  for (const double steepness : {0.5, 1.0, 2.0, 4.0}) {
    for (const double place : {-2.0, -1.0, 0.0, 1.0, 2.0}) {
      Parameters b = kind == LogisticKind::kFour ? Parameters{0, 0, place, 1 / steepness, 0}
                                                 : Parameters{0, steepness, place, 0, 0};
      const double norm = rows.project(b);
      if (norm < least) best = b;
      least = std::min(least, norm);
    }
  }
  if (std::isfinite(least)) Minimiser(rows, squares_of(some_y), true).minimise(best);
  return best;
}

}  // namespace

LogisticFit fit_logistic(LogisticKind kind, std::span<const double> x, std::span<const double> y) {
  const double correlation = pearson(x, y);
  const auto is_finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(x.begin(), x.end(), is_finite) || !std::all_of(y.begin(), y.end(), is_finite))
    base::fail(base::ExitCode::kInput, "a fit needs finite values; leave out failed rows first");
  LogisticFit fit;
  const std::size_t n = kind == LogisticKind::kFour ? 4 : 5;
  if (x.size() <= n) {
    fit.undefined = "a function of " + std::to_string(n) + " parameters needs more than " +
                    std::to_string(n) + " rows, and there are " + std::to_string(x.size());
    return fit;
  }
  if (std::isnan(correlation)) {
    fit.undefined = "scores or labels are constant";
    return fit;
  }
  const Moments moments = moments_of(x);
  const double mean = moments.mean;
  const double deviation = std::sqrt(moments.variance);
  std::vector<double> u(x.size());
  std::transform(x.begin(), x.end(), u.begin(), [&](double v) { return (v - mean) / deviation; });
  const auto [low, high] = std::minmax_element(y.begin(), y.end());
  Parameters b = kind == LogisticKind::kFour
                     ? Parameters{*high, *low, 0, 0.25, 0}
                     : Parameters{*high - *low, correlation < 0 ? -1.0 : 1.0, 0, 0, moments_of(y).mean};
  LogisticRows rows(kind, u, y);
  const double total = squares_of(y);
  const double norm = Minimiser(rows, total, false).minimise(b);
  // What is lower by less is farther down the same valley, where solvers of the field stop, too.
  constexpr double kAnotherMinimum = 1 - 1e-4;
  Parameters other = best_of_grid(kind, u, y);
  const double other_norm = Minimiser(rows, total, true).minimise(other);
  if (other_norm * other_norm < kAnotherMinimum * norm * norm) b = other;
  fit.fitted = rows.fitted(b);
  double squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) squares += (fit.fitted[i] - y[i]) * (fit.fitted[i] - y[i]);
  fit.rmse = std::sqrt(squares / static_cast<double>(u.size()));
  fit.plcc = pearson(fit.fitted, y);
  if (kind == LogisticKind::kFour) {
    fit.parameters = {b[0], b[1], mean + deviation * b[2], deviation * b[3]};
  } else {
    fit.parameters = {b[0], b[1] / deviation, mean + deviation * b[2], b[3] / deviation,
                      b[4] - b[3] * mean / deviation};
  }
  return fit;
}

}  // namespace quasar::evaluation
