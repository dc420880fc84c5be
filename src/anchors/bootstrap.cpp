#include "anchors/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "anchors/chosen_rows.h"
#include "base/errors.h"
#include "base/random.h"
#include "cluster/exact_sum.h"
#include "cluster/kmeans.h"

namespace quasar::anchors {
namespace {

constexpr int kMostWeight = 15;
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30U;

/// Means of one side's clusters over every draw, [draws, clusters, d].
std::vector<float> drawn_means(cluster::RowSource& rows, std::span<const std::int64_t> chosen,
                               std::span<const std::uint64_t> units, std::span<const float> clusters,
                               const DrawRecipe& recipe, const comm::Communicator& comm) {
  const std::size_t d = rows.dimension();
  const std::size_t k = clusters.size() / d;
  const auto draws = static_cast<std::size_t>(recipe.draws);
  if (draws * k > kMostBytes / (d * sizeof(std::int64_t)))
    base::fail(base::ExitCode::kConfig, "recipe.uncertainty.draws: " + std::to_string(draws) + " draws of " +
                                            std::to_string(k) +
                                            " clusters take more than 4 GiB; ask for fewer");
  double largest = 0;
  comm.together([&] {
    for_each_chosen(rows, chosen, [&](std::span<const float> row, std::int64_t) {
      largest = std::max(largest, static_cast<double>(cluster::largest_magnitude(row)));
    });
  });
  largest = comm.all_reduce(largest, comm::Reduction::kMax);
  const cluster::FixedPointScale scale(largest, chosen.size() * kMostWeight + 1);
  std::vector<std::int64_t> sums(draws * k * d, 0);
  std::vector<std::int64_t> counts(draws * k, 0);
  comm.together([&] {
    std::vector<std::int64_t> fixed(d);
    std::int64_t label = 0;
    float distance = 0;
    for_each_chosen(rows, chosen, [&](std::span<const float> row, std::int64_t place) {
      if (k > 1) cluster::assign(row, clusters, d, std::span(&label, 1), std::span(&distance, 1));
      for (std::size_t j = 0; j < d; ++j) fixed[j] = scale.to_fixed(row[j]);
      const std::uint64_t unit = units[static_cast<std::size_t>(place)];
      for (std::size_t draw = 0; draw < draws; ++draw) {
        const int weight = poisson_weight(base::derive_seed(recipe.seed, draw, unit));
        if (weight == 0) continue;
        const std::size_t at = draw * k + static_cast<std::size_t>(label);
        counts[at] += weight;
        std::int64_t* const sum = sums.data() + at * d;
        for (std::size_t j = 0; j < d; ++j) sum[j] += weight * fixed[j];
      }
    });
  });
  comm.all_reduce(std::span(sums), comm::Reduction::kSum);
  comm.all_reduce(std::span(counts), comm::Reduction::kSum);
  std::vector<float> means(sums.size());
  for (std::size_t at = 0; at < draws * k; ++at) {
    for (std::size_t j = 0; j < d; ++j) {
      means[at * d + j] =
          counts[at] == 0
              ? clusters[at % k * d + j]
              : static_cast<float>(scale.to_double(sums[at * d + j]) / static_cast<double>(counts[at]));
    }
  }
  return means;
}

/// As the aggregation has it: [draws, pairs, d] of [draws, clusters, d].
std::vector<float> aggregated(std::span<const float> means, std::size_t draws, std::size_t pairs,
                              std::size_t d, Aggregation aggregation) {
  const std::size_t k = means.size() / draws / d;
  std::vector<float> result(draws * pairs * d);
  for (std::size_t draw = 0; draw < draws; ++draw) {
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      for (std::size_t j = 0; j < d; ++j) {
        float& value = result[(draw * pairs + pair) * d + j];
        if (aggregation != Aggregation::kClustering) {
          value = means[(draw * k + pair) * d + j];
          continue;
        }
        double sum = 0;
        for (std::size_t c = 0; c < k; ++c) sum += static_cast<double>(means[(draw * k + c) * d + j]);
        value = static_cast<float>(sum / static_cast<double>(k));
      }
    }
  }
  return result;
}

}  // namespace

int poisson_weight(std::uint64_t bits) {
  double u = static_cast<double>(bits >> 11U) * 0x1.0p-53;
  double probability = 0.36787944117144233;  // exp(-1)
  for (int weight = 0; weight < kMostWeight; ++weight) {
    if (u < probability) return weight;
    u -= probability;
    probability /= weight + 1;
  }
  return kMostWeight;
}

void for_each_chosen(cluster::RowSource& rows, std::span<const std::int64_t> chosen,
                     const std::function<void(std::span<const float> row, std::int64_t place)>& take) {
  constexpr std::int64_t kRowsAtOnce = 1024;
  ChosenRows side(rows, chosen);
  const std::size_t d = side.dimension();
  std::vector<float> values;
  std::vector<std::int64_t> places;
  for (std::int64_t first = 0; first < side.size(); first += kRowsAtOnce) {
    const auto count = std::min(kRowsAtOnce, side.size() - first);
    values.resize(static_cast<std::size_t>(count) * d);
    places.resize(static_cast<std::size_t>(count));
    side.read(first, count, values, places);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto row = std::span<const float>(values).subspan(i * d, d);
      if (std::isfinite(cluster::largest_magnitude(row))) take(row, places[i]);
    }
  }
}

DrawnCentroids draw_centroids(cluster::RowSource& rows, const AnchorSplit& split, const DrawUnits& units,
                              const AnchorCentroids& centroids, Aggregation aggregation,
                              const DrawRecipe& recipe, const comm::Communicator& comm) {
  QUASAR_CHECK(units.good.size() == split.good.size() && units.bad.size() == split.bad.size());
  const auto draws = static_cast<std::size_t>(recipe.draws);
  const std::size_t d = centroids.dimension;
  const auto good = drawn_means(rows, split.good, units.good, centroids.good_clusters, recipe, comm);
  const auto bad = drawn_means(rows, split.bad, units.bad, centroids.bad_clusters, recipe, comm);
  return {aggregated(good, draws, centroids.pairs(), d, aggregation),
          aggregated(bad, draws, centroids.pairs(), d, aggregation)};
}

}  // namespace quasar::anchors
