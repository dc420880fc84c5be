#include "evaluation/logistic_fit.h"

#include <cminpack-1/cminpack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/errors.h"
#include "evaluation/correlation.h"

namespace quasar::evaluation {
namespace {

constexpr int kMostParameters = 5;
using Parameters = std::array<double, kMostParameters>;

/// 1 / (1 + exp(-z)), without overflow.
double sigmoid(double z) {
  if (z >= 0) return 1.0 / (1.0 + std::exp(-z));
  const double e = std::exp(z);
  return e / (1.0 + e);
}

int parameters_of(LogisticKind kind) {
  return kind == LogisticKind::kFour ? 4 : 5;
}

double value_at(LogisticKind kind, const double* b, double u) {
  if (kind == LogisticKind::kFour) return (b[0] - b[1]) * sigmoid((u - b[2]) / b[3]) + b[1];
  return b[0] * (0.5 - sigmoid(-b[1] * (u - b[2]))) + b[3] * u + b[4];
}

/// The derivatives by the parameters.
Parameters gradient_at(LogisticKind kind, const double* b, double u) {
  if (kind == LogisticKind::kFour) {
    const double s = sigmoid((u - b[2]) / b[3]);
    const double slope = -(b[0] - b[1]) * s * (1 - s) / b[3];
    return {s, 1 - s, slope, slope * (u - b[2]) / b[3], 0};
  }
  const double t = sigmoid(-b[1] * (u - b[2]));
  const double slope = b[0] * t * (1 - t);
  return {0.5 - t, slope * (u - b[2]), -slope * b[1], u, 1};
}

struct Problem {
  LogisticKind kind;
  std::span<const double> u;
  std::span<const double> y;
};

/// Residuals or Jacobian, as MINPACK asks.
int evaluate(void* data, int m, int n, const double* b, double* residuals, double* jacobian, int stride,
             int what) {
  const auto& problem = *static_cast<const Problem*>(data);
  for (int i = 0; i < m; ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (what == 1) {
      residuals[i] = value_at(problem.kind, b, problem.u[row]) - problem.y[row];
    } else {
      const auto gradient = gradient_at(problem.kind, b, problem.u[row]);
      for (int j = 0; j < n; ++j)
        jacobian[i + std::ptrdiff_t{stride} * j] = gradient[static_cast<std::size_t>(j)];
    }
  }
  return 0;
}

void minimise(Problem problem, Parameters& b) {
  const int m = static_cast<int>(problem.u.size());
  const int n = parameters_of(problem.kind);
  const auto rows = problem.u.size();
  std::vector<double> residuals(rows);
  std::vector<double> jacobian(rows * static_cast<std::size_t>(n));
  std::vector<double> work(rows);
  Parameters scale{};
  Parameters qtf{};
  std::array<Parameters, 3> more{};
  std::array<int, kMostParameters> pivots{};
  int calls = 0;
  int jacobians = 0;
  // To the limit of double precision; along flat valleys, some of which lead to infinity, until further steps
  // change the correlation by less than a millionth.
  constexpr double kTolerance = 1e-15;
  constexpr int kCallsPerParameter = 150;
  constexpr double kFirstStep = 100;
  lmder(evaluate, &problem, m, n, b.data(), residuals.data(), jacobian.data(), m, kTolerance, kTolerance, 0.0,
        kCallsPerParameter * n, scale.data(), 1, kFirstStep, 0, &calls, &jacobians, pivots.data(), qtf.data(),
        more[0].data(), more[1].data(), more[2].data(), work.data());
}

}  // namespace

LogisticFit fit_logistic(LogisticKind kind, std::span<const double> x, std::span<const double> y) {
  const double correlation = pearson(x, y);
  const auto is_finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(x.begin(), x.end(), is_finite) || !std::all_of(y.begin(), y.end(), is_finite))
    base::fail(base::ExitCode::kInput, "a fit needs finite values; leave out failed rows first");
  LogisticFit fit;
  const int n = parameters_of(kind);
  if (x.size() <= static_cast<std::size_t>(n)) {
    fit.undefined = "a function of " + std::to_string(n) + " parameters needs more than " +
                    std::to_string(n) + " rows, and there are " + std::to_string(x.size());
    return fit;
  }
  if (x.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    fit.undefined = "there are more rows than the solver counts";
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
  minimise({kind, u, y}, b);
  double squares = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    fit.fitted.push_back(value_at(kind, b.data(), u[i]));
    squares += (fit.fitted[i] - y[i]) * (fit.fitted[i] - y[i]);
  }
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
