#include "cluster/kmeans.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <faiss/utils/distances.h>

#include "base/errors.h"
#include "cluster/exact_sum.h"

namespace quasar::cluster {
namespace {

/// Rows handed to FAISS at once. It is below faiss::distance_compute_blas_threshold, so that FAISS computes
/// each distance by itself: through BLAS a row's last bits would depend on its place in the block.
constexpr std::size_t kBlock = 16;

/// The training rows of this rank: finite, and in the sample.
struct Training {
  std::vector<float> values;
  std::vector<std::int64_t> positions;  ///< Place among all training rows, which is what the seeds draw from.
  std::size_t dimension = 0;
  std::int64_t total = 0;
  std::int64_t not_finite = 0;

  std::size_t size() const { return positions.size(); }
  std::span<const float> row(std::size_t i) const {
    return std::span(values).subspan(i * dimension, dimension);
  }
};

/// Gives each finite row its place in the global order of finite rows.
Training gather_training(const LocalRows& rows, const KMeansConfig& config, const comm::Communicator& comm) {
  const std::int64_t last = rows.numbers.empty() ? -1 : rows.numbers.back();
  const auto span = static_cast<std::size_t>(comm.all_reduce(last, comm::Reduction::kMax) + 1);
  std::vector<std::uint64_t> finite((span + 63) / 64, 0);
  std::int64_t not_finite = 0;
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
    if (!std::isfinite(largest_magnitude(rows.row(i)))) {
      ++not_finite;
      continue;
    }
    const auto number = static_cast<std::size_t>(rows.numbers[i]);
    finite[number / 64] |= std::uint64_t{1} << (number % 64);
  }
  // Ranks hold different rows, so that adding their bits is joining them.
  comm.all_reduce(std::span(finite), comm::Reduction::kSum);
  std::vector<std::int64_t> before(finite.size() + 1, 0);
  for (std::size_t word = 0; word < finite.size(); ++word)
    before[word + 1] = before[word] + std::popcount(finite[word]);

  Training training;
  training.dimension = rows.dimension;
  training.total = before.back();
  training.not_finite = comm.all_reduce(not_finite, comm::Reduction::kSum);
  const std::int64_t most = config.max_points_per_centroid * config.k;
  std::vector<std::int64_t> place_in_sample;
  if (most > 0 && training.total > most) {
    place_in_sample.assign(static_cast<std::size_t>(training.total), -1);
    const auto permutation = faiss_permutation(training.total, config.seed);
    for (std::int64_t i = 0; i < most; ++i) {
      place_in_sample[static_cast<std::size_t>(permutation[static_cast<std::size_t>(i)])] = i;
    }
    training.total = most;
  }
  for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
    const auto number = static_cast<std::size_t>(rows.numbers[i]);
    const std::uint64_t bit = std::uint64_t{1} << (number % 64);
    if ((finite[number / 64] & bit) == 0) continue;
    std::int64_t position = before[number / 64] + std::popcount(finite[number / 64] & (bit - 1));
    if (!place_in_sample.empty()) position = place_in_sample[static_cast<std::size_t>(position)];
    if (position < 0) continue;
    training.positions.push_back(position);
    training.values.insert(training.values.end(), rows.row(i).begin(), rows.row(i).end());
  }
  return training;
}

/// Rows at the given places, on every rank: summed bit patterns, which exactly one rank contributes.
std::vector<float> fetch_rows(const Training& training, std::span<const std::int64_t> places,
                              const comm::Communicator& comm) {
  std::vector<std::uint64_t> bits(places.size() * training.dimension, 0);
  for (std::size_t i = 0; i < training.size(); ++i) {
    for (std::size_t p = 0; p < places.size(); ++p) {
      if (places[p] != training.positions[i]) continue;
      const auto row = training.row(i);
      for (std::size_t j = 0; j < row.size(); ++j) {
        bits[p * training.dimension + j] = std::bit_cast<std::uint32_t>(row[j]);
      }
    }
  }
  comm.all_reduce(std::span(bits), comm::Reduction::kSum);
  std::vector<float> rows(bits.size());
  std::transform(bits.begin(), bits.end(), rows.begin(),
                 [](std::uint64_t word) { return std::bit_cast<float>(static_cast<std::uint32_t>(word)); });
  return rows;
}

/// Places of the `count` rows farthest from their centroids, over all ranks; ties by the lower place.
std::vector<std::int64_t> farthest_rows(const Training& training, std::span<const float> distances,
                                        std::size_t count, const comm::Communicator& comm) {
  struct Candidate {
    float distance;
    std::int64_t place;
  };
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance > b.distance : a.place < b.place;
  };
  std::vector<Candidate> mine;
  for (std::size_t i = 0; i < training.size(); ++i) mine.push_back({distances[i], training.positions[i]});
  const std::size_t kept = std::min(count, mine.size());
  std::partial_sort(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(kept), mine.end(), before);
  mine.resize(kept);
  std::vector<Candidate> all;
  for (const auto& part :
       comm.exchange(std::vector<std::vector<Candidate>>(static_cast<std::size_t>(comm.size()), mine))) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end(), before);
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(all[i].place);
  return places;
}

/// New centroids from the assignment: exact means; an empty cluster takes one of the farthest rows.
void update_centroids(const Training& training, std::span<const std::int64_t> labels,
                      std::span<const float> distances, const FixedPointScale& scale,
                      const comm::Communicator& comm, KMeansResult& result, IterationStatistics& statistics) {
  const std::size_t d = training.dimension;
  const std::size_t k = result.sizes.size();
  std::vector<std::int64_t> sums(k * d + k, 0);
  for (std::size_t i = 0; i < training.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    add_row(training.row(i), scale, std::span(sums).subspan(label * d, d));
    ++sums[k * d + label];
  }
  comm.all_reduce(std::span(sums), comm::Reduction::kSum);
  std::vector<std::size_t> empty;
  double square = 0;
  for (std::size_t c = 0; c < k; ++c) {
    const std::int64_t size = result.sizes[c] = sums[k * d + c];
    square += static_cast<double>(size) * static_cast<double>(size);
    if (size == 0) {
      empty.push_back(c);
      continue;
    }
    for (std::size_t j = 0; j < d; ++j) {
      result.centroids[c * d + j] =
          static_cast<float>(scale.to_double(sums[c * d + j]) / static_cast<double>(size));
    }
  }
  const auto n = static_cast<double>(training.total);
  statistics.imbalance = static_cast<double>(k) * square / (n * n);
  statistics.empty = static_cast<int>(empty.size());
  if (empty.empty()) return;
  const auto places = farthest_rows(training, distances, empty.size(), comm);
  const auto rows = fetch_rows(training, places, comm);
  for (std::size_t e = 0; e < empty.size(); ++e) {
    std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(e * d), d,
                result.centroids.begin() + static_cast<std::ptrdiff_t>(empty[e] * d));
  }
}

}  // namespace

std::vector<std::int64_t> faiss_permutation(std::int64_t n, std::uint64_t seed) {
  std::vector<std::int64_t> permutation(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) permutation[static_cast<std::size_t>(i)] = i;
  std::mt19937 generator(static_cast<std::uint32_t>(seed));
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    const std::int64_t j = i + static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(n - i));
    std::swap(permutation[static_cast<std::size_t>(i)], permutation[static_cast<std::size_t>(j)]);
  }
  return permutation;
}

void assign(std::span<const float> rows, std::span<const float> centroids, std::size_t dimension,
            std::span<std::int64_t> labels, std::span<float> distances) {
  QUASAR_CHECK(rows.size() == labels.size() * dimension && distances.size() == labels.size());
  QUASAR_CHECK(static_cast<int>(kBlock) < faiss::distance_compute_blas_threshold);
  for (std::size_t first = 0; first < labels.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, labels.size() - first);
    faiss::knn_L2sqr(rows.data() + first * dimension, centroids.data(), dimension, count,
                     centroids.size() / dimension, 1, distances.data() + first, labels.data() + first);
  }
}

KMeansResult kmeans(const LocalRows& rows, const KMeansConfig& config, const comm::Communicator& comm,
                    const std::function<void(int, const IterationStatistics&)>& on_iteration) {
  QUASAR_CHECK(rows.values.size() == rows.numbers.size() * rows.dimension);
  const Training training = gather_training(rows, config, comm);
  if (training.total < config.k) {
    base::fail(base::ExitCode::kInput,
               "k-means with k = " + std::to_string(config.k) +
                   " needs at least as many finite rows; there are " + std::to_string(training.total) + " (" +
                   std::to_string(training.not_finite) + " more hold values that are not finite)");
  }
  double largest = 0;
  for (const float value : training.values)
    largest = std::max(largest, static_cast<double>(std::fabs(value)));
  const FixedPointScale scale(comm.all_reduce(largest, comm::Reduction::kMax),
                              static_cast<std::uint64_t>(training.total));
  KMeansResult result;
  result.rows_used = training.total;
  result.rows_not_finite = training.not_finite;
  result.sizes.assign(static_cast<std::size_t>(config.k), 0);
  auto start = faiss_permutation(training.total, config.seed + 1);
  start.resize(static_cast<std::size_t>(config.k));
  result.centroids = fetch_rows(training, start, comm);

  std::vector<std::int64_t> labels(training.size(), -1);
  std::vector<float> distances(training.size());
  for (int iteration = 0; iteration < config.iterations; ++iteration) {
    const std::vector<std::int64_t> previous = labels;
    assign(training.values, result.centroids, training.dimension, labels, distances);
    const std::int64_t changed =
        comm.all_reduce(std::int64_t{labels != previous ? 1 : 0}, comm::Reduction::kMax);
    float farthest = 0;
    for (const float distance : distances) farthest = std::max(farthest, distance);
    const FixedPointScale objective_scale(
        comm.all_reduce(static_cast<double>(farthest), comm::Reduction::kMax),
        static_cast<std::uint64_t>(training.total));
    std::int64_t objective = 0;
    for (const float distance : distances) objective += objective_scale.to_fixed(distance);
    IterationStatistics statistics;
    statistics.objective = objective_scale.to_double(comm.all_reduce(objective, comm::Reduction::kSum));
    update_centroids(training, labels, distances, scale, comm, result, statistics);
    result.iterations.push_back(statistics);
    if (comm.is_root() && on_iteration) on_iteration(iteration, statistics);
    if (changed == 0 && statistics.empty == 0) break;
  }
  return result;
}

}  // namespace quasar::cluster
