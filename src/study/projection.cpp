#include "study/projection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace quasar::study {
namespace {

using Vector = std::vector<double>;

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Rows of unit length; those without direction stay zero.
Vector unit_rows(std::span<const float> rows, std::size_t d) {
  Vector result(rows.begin(), rows.end());
  for (std::size_t at = 0; at + d <= result.size(); at += d) {
    const auto row = std::span(result).subspan(at, d);
    const double norm = std::sqrt(dot(row, row));
    for (auto& value : row) value = norm > 0 ? value / norm : 0;
  }
  return result;
}

/// The direction of most variance of centred rows, after `before` was taken out; the variance along it.
double component(std::span<const double> rows, std::size_t d, std::span<const double> before,
                 Vector& direction) {
  constexpr int kIterations = 200;
  base::Random random(1);
  direction.resize(d);
  for (auto& value : direction) value = random.normal();
  double variance = 0;
  for (int i = 0; i < kIterations; ++i) {
    if (!before.empty()) {
      const double along = dot(direction, before);
      for (std::size_t j = 0; j < d; ++j) direction[j] -= along * before[j];
    }
    const double norm = std::sqrt(dot(direction, direction));
    if (!(norm > 0)) break;
    for (auto& value : direction) value /= norm;
    Vector next(d, 0.0);
    for (std::size_t at = 0; at + d <= rows.size(); at += d) {
      const auto row = rows.subspan(at, d);
      const double along = dot(row, direction);
      for (std::size_t j = 0; j < d; ++j) next[j] += along * row[j];
    }
    const double now = dot(next, direction);
    const bool settled = std::abs(now - variance) <= 1e-12 * now;
    variance = now;
    if (settled || !(now > 0)) break;
    direction = std::move(next);
  }
  if (!before.empty()) {
    const double along = dot(direction, before);
    for (std::size_t j = 0; j < d; ++j) direction[j] -= along * before[j];
  }
  const double norm = std::sqrt(dot(direction, direction));
  for (auto& value : direction) value = norm > 0 ? value / norm : 0;
  return variance;
}

double variance_of(const Vector& values, double mean) {
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  return values.size() < 2 ? 0 : square / static_cast<double>(values.size() - 1);
}

double mean_of(const Vector& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Plane principal_plane(const TwoSides& sides) {
  const std::size_t d = sides.dimension;
  Vector rows = unit_rows(sides.good, d);
  const std::size_t good = rows.size() / d;
  const auto bad_rows = unit_rows(sides.bad, d);
  rows.insert(rows.end(), bad_rows.begin(), bad_rows.end());
  const std::size_t n = rows.size() / d;
  Vector mean(d, 0.0);
  for (std::size_t i = 0; i < rows.size(); ++i) mean[i % d] += rows[i] / static_cast<double>(n);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] -= mean[i % d];
  const double total = dot(rows, rows);
  Vector first;
  Vector second;
  const double along_first = component(rows, d, {}, first);
  const double along_second = component(rows, d, first, second);
  Plane plane;
  plane.explained[0] = total > 0 ? along_first / total : 0;
  plane.explained[1] = total > 0 ? along_second / total : 0;
  const auto place = [&](std::span<const float> centroid, double* xy) {
    auto row = unit_rows(centroid, d);
    for (std::size_t j = 0; j < d; ++j) row[j] -= mean[j];
    xy[0] = dot(row, first);
    xy[1] = dot(row, second);
  };
  place(sides.good_centroid, plane.good_centroid);
  place(sides.bad_centroid, plane.bad_centroid);
  const double sign = plane.good_centroid[0] >= plane.bad_centroid[0] ? 1 : -1;
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = std::span<const double>(rows).subspan(i * d, d);
    (i < good ? plane.good_x : plane.bad_x).push_back(sign * dot(row, first));
    (i < good ? plane.good_y : plane.bad_y).push_back(dot(row, second));
  }
  plane.good_centroid[0] *= sign;
  plane.bad_centroid[0] *= sign;
  return plane;
}

Separation separation(const TwoSides& sides) {
  const std::size_t d = sides.dimension;
  auto line = unit_rows(sides.good_centroid, d);
  const auto bad = unit_rows(sides.bad_centroid, d);
  for (std::size_t j = 0; j < d; ++j) line[j] -= bad[j];
  const double length = std::sqrt(dot(line, line));
  for (auto& value : line) value = length > 0 ? value / length : 0;
  Separation result;
  const auto project = [&](std::span<const float> rows, Vector& places) {
    const auto unit = unit_rows(rows, d);
    for (std::size_t at = 0; at + d <= unit.size(); at += d)
      places.push_back(dot(std::span<const double>(unit).subspan(at, d), line));
  };
  project(sides.good, result.good);
  project(sides.bad, result.bad);
  auto sorted = result.bad;
  std::sort(sorted.begin(), sorted.end());
  double above = 0;
  for (const double value : result.good) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), value);
    above += static_cast<double>(low - sorted.begin()) + 0.5 * static_cast<double>(high - low);
  }
  result.auc = above / static_cast<double>(result.good.size()) / static_cast<double>(result.bad.size());
  const double good_mean = mean_of(result.good);
  const double bad_mean = mean_of(result.bad);
  const double variance = 0.5 * (variance_of(result.good, good_mean) + variance_of(result.bad, bad_mean));
  result.d_prime =
      variance > 0 ? (good_mean - bad_mean) / std::sqrt(variance) : std::numeric_limits<double>::quiet_NaN();
  return result;
}

}  // namespace quasar::study
