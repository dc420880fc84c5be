#include "cluster/kmeans.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/activity.h"
#include "base/errors.h"
#include "cluster/assignment_pass.h"
#include "cluster/exact_sum.h"
#include "cluster/kmeans_checkpoint.h"
#include "cluster/kmeans_memory.h"
#include "cluster/nearest.h"
#include "cluster/thread_team.h"
#include "cluster/training_rows.h"
#include "comm/cores.h"

namespace quasar::cluster {
namespace {

/// Means of the sums, into `centroids`; empty clusters are left as they are and returned.
std::vector<std::size_t> means_of(std::span<const std::int64_t> sums, const FixedPointScale& scale,
                                  std::span<float> centroids, std::span<std::int64_t> sizes) {
  const std::size_t k = sizes.size();
  const std::size_t d = centroids.size() / k;
  std::vector<std::size_t> empty;
  for (std::size_t c = 0; c < k; ++c) {
    sizes[c] = sums[k * d + c];
    if (sizes[c] == 0) {
      empty.push_back(c);
      continue;
    }
    for (std::size_t j = 0; j < d; ++j) {
      centroids[c * d + j] =
          static_cast<float>(scale.to_double(sums[c * d + j]) / static_cast<double>(sizes[c]));
    }
  }
  return empty;
}

/// One Lloyd iteration on state.result.
void iterate(AssignmentPass& pass, const TrainingRows& rows, KMeansState& state) {
  auto& result = state.result;
  const std::size_t d = rows.dimension();
  const std::vector<float> before = result.centroids;
  const auto sums = pass.run(result.centroids);
  const auto empty = means_of(sums, pass.scale(), result.centroids, result.sizes);
  IterationStatistics statistics;
  statistics.objective = pass.objective();
  statistics.searched = pass.searched();
  statistics.empty = static_cast<int>(empty.size());
  double square = 0;
  for (const std::int64_t size : result.sizes)
    square += static_cast<double>(size) * static_cast<double>(size);
  const auto n = static_cast<double>(rows.total());
  statistics.imbalance = static_cast<double>(result.sizes.size()) * square / (n * n);
  if (!empty.empty()) {
    const auto replacements = pass.farthest(empty.size());
    for (std::size_t e = 0; e < empty.size(); ++e) {
      std::copy_n(replacements.begin() + static_cast<std::ptrdiff_t>(e * d), d,
                  result.centroids.begin() + static_cast<std::ptrdiff_t>(empty[e] * d));
    }
  }
  result.iterations.push_back(statistics);
  // Equal centroids assign every row as before, for ever.
  state.converged = before == result.centroids;
}

int threads_of(const KMeansRuntime& runtime, const comm::Communicator& comm) {
  const int fair = comm::cores_of_rank(comm);
  return runtime.threads > 0 ? runtime.threads : fair;
}

/// Draws the sample, if any, and the start rows.
std::vector<float> choose_start(TrainingRows& rows, const KMeansConfig& config) {
  const std::int64_t most = config.max_points_per_centroid * config.k;
  std::vector<std::int64_t> sample;
  if (most > 0 && rows.total() > most) sample = faiss_permutation(rows.total(), config.seed, most);
  const std::int64_t n = sample.empty() ? rows.total() : most;
  auto start = faiss_permutation(n, config.seed + 1, config.k);
  if (sample.empty()) return rows.at(start);
  for (auto& place : start) place = sample[static_cast<std::size_t>(place)];
  auto centroids = rows.at(start);
  rows.keep(sample);
  return centroids;
}

/// The rows of a pass that only assigns, held or streamed as the limit of memory allows. Collective.
TrainingRows rows_to_assign(RowSource& source, std::size_t k, ThreadTeam& team,
                            const comm::Communicator& comm, const KMeansRuntime& runtime) {
  RowBudget budget;
  comm.together([&] {
    budget.bytes = kmeans_room(source.dimension(), static_cast<int>(k), team.size(), runtime.memory_bytes);
  });
  return {source, budget, team, comm};
}

/// How a rank holds its rows, and of how many it remembers something: all or none.
struct Holding {
  RowBudget budget;
  std::int64_t bounds = 0;
};

Holding holding_of(const RowSource& source, const KMeansConfig& config, int threads,
                   const KMeansRuntime& runtime) {
  const std::size_t d = source.dimension();
  Holding holding;
  holding.budget.bytes = kmeans_room(d, config.k, threads, runtime.memory_bytes);
  holding.budget.fingerprint = !runtime.checkpoint.empty();
  if (!runtime.bounds) return holding;
  const std::uint64_t rows =
      source.resident().empty() ? static_cast<std::uint64_t>(source.size()) * d * sizeof(float) : 0;
  const std::uint64_t bytes = bounds_of_room(holding.budget.bytes, source.size(), rows, d, config.k, threads);
  if (bytes > 0) holding.bounds = source.size();
  holding.budget.bytes -= bytes;
  return holding;
}

void check_rows(const TrainingRows& rows, int k) {
  if (rows.total() >= k) return;
  base::fail(base::ExitCode::kInput,
             "k-means with k = " + std::to_string(k) + " needs at least as many finite rows; there are " +
                 std::to_string(rows.total()) + " (" + std::to_string(rows.not_finite()) +
                 " more hold values that are not finite)");
}

/// Before the first iteration. The rows are from now on those of the sample, if any.
KMeansState start_state(TrainingRows& rows, const KMeansConfig& config) {
  KMeansState state;
  state.result.centroids = choose_start(rows, config);
  state.result.sizes.assign(static_cast<std::size_t>(config.k), 0);
  state.result.rows_used = rows.total();
  state.result.rows_not_finite = rows.not_finite();
  return state;
}

/// Puts the state of the checkpoint, if there is one, into the place of the one at the start. Collective.
void resume(const std::filesystem::path& checkpoint, const KMeansIdentity& identity, int iterations,
            const comm::Communicator& comm, KMeansState& state) {
  // A few megabytes read by every rank would need a shared folder; root reads and tells.
  std::int64_t found = 0;
  comm.on_root([&] {
    auto stored = read_checkpoint(checkpoint, identity);
    // A state past the iterations asked for is of no use: going back is not possible.
    if (!stored || static_cast<int>(stored->result.iterations.size()) > iterations) return;
    stored->result.rows_used = state.result.rows_used;
    state = std::move(*stored);
    found = 1;
  });
  if (comm.all_reduce(found, comm::Reduction::kMax) == 0) return;
  auto converged = static_cast<std::int64_t>(state.converged);
  comm.broadcast(state.result.centroids);
  comm.broadcast(state.result.sizes);
  comm.broadcast(state.result.iterations);
  comm.broadcast(std::as_writable_bytes(std::span(&converged, 1)));
  state.converged = converged == 1;
}

/// Throws Error(kInterrupted) on all ranks when any is asked to stop. Collective.
void check_stop(const KMeansRuntime& runtime, std::size_t iterations, const comm::Communicator& comm) {
  const std::int64_t stop = runtime.stop_requested && runtime.stop_requested() ? 1 : 0;
  if (comm.all_reduce(stop, comm::Reduction::kMax) == 0) return;
  base::fail(base::ExitCode::kInterrupted,
             "k-means was stopped by a signal after iteration " + std::to_string(iterations) +
                 (runtime.checkpoint.empty() ? "" : "; the same command continues from there"));
}

}  // namespace

KMeansResult kmeans(RowSource& source, const KMeansConfig& config, const comm::Communicator& comm,
                    const OnIteration& on_iteration, const KMeansRuntime& runtime) {
  const base::Phase phase("k-means");
  QUASAR_CHECK(config.k > 0 && config.iterations >= 0 && source.dimension() > 0);
  ThreadTeam team(threads_of(runtime, comm));
  Holding holding;
  comm.together([&] { holding = holding_of(source, config, team.size(), runtime); });
  TrainingRows rows(source, holding.budget, team, comm);
  check_rows(rows, config.k);
  const KMeansIdentity identity{config.k,
                                config.seed,
                                config.max_points_per_centroid,
                                static_cast<std::int64_t>(source.dimension()),
                                rows.total(),
                                rows.not_finite(),
                                rows.fingerprint()};
  // Also when a checkpoint replaces it: the sample that comes with it is needed.
  KMeansState state = start_state(rows, config);
  auto& iterations = state.result.iterations;
  if (!runtime.checkpoint.empty()) resume(runtime.checkpoint, identity, config.iterations, comm, state);
  AssignmentPass pass(rows, static_cast<std::size_t>(config.k), team, comm, holding.bounds);
  while (!state.converged && static_cast<int>(iterations.size()) < config.iterations) {
    iterate(pass, rows, state);
    if (!runtime.checkpoint.empty()) {
      comm.on_root([&] { write_checkpoint(runtime.checkpoint, identity, state); });
    }
    if (comm.is_root() && on_iteration) {
      on_iteration(static_cast<int>(iterations.size()) - 1, iterations.back());
    }
    check_stop(runtime, iterations.size(), comm);
  }
  return std::move(state.result);
}

KMeansResult kmeans(const LocalRows& rows, const KMeansConfig& config, const comm::Communicator& comm,
                    const OnIteration& on_iteration, const KMeansRuntime& runtime) {
  QUASAR_CHECK(rows.values.size() == rows.numbers.size() * rows.dimension);
  MemoryRows source(rows);
  return kmeans(source, config, comm, on_iteration, runtime);
}

MemberMeans member_means(RowSource& source, std::span<const float> centroids, const comm::Communicator& comm,
                         const KMeansRuntime& runtime) {
  const std::size_t k = centroids.size() / source.dimension();
  ThreadTeam team(threads_of(runtime, comm));
  TrainingRows rows = rows_to_assign(source, k, team, comm, runtime);
  MemberMeans members;
  members.rows_not_finite = rows.not_finite();
  members.means.assign(centroids.size(), 0);
  members.sizes.assign(k, 0);
  if (rows.total() == 0) return members;
  AssignmentPass pass(rows, k, team, comm);
  means_of(pass.run(centroids), pass.scale(), members.means, members.sizes);
  return members;
}

RowLabels assign_rows(RowSource& source, std::span<const float> centroids, const comm::Communicator& comm,
                      const KMeansRuntime& runtime) {
  const std::size_t k = centroids.size() / source.dimension();
  ThreadTeam team(threads_of(runtime, comm));
  TrainingRows rows = rows_to_assign(source, k, team, comm, runtime);
  RowLabels result;
  result.labels.assign(static_cast<std::size_t>(source.size()), -1);
  result.distances.assign(result.labels.size(), 0);
  const NearestCentroid nearest(centroids, source.dimension());
  struct Worker {
    NearestCentroid::Workspace workspace;
    std::vector<std::int64_t> labels;
    std::vector<float> distances;
  };
  std::vector<Worker> workers(static_cast<std::size_t>(team.size()));
  comm.together([&] {
    rows.for_each(static_cast<std::int64_t>(nearest.tile_rows()), [&](int thread, const RowTile& tile) {
      auto& worker = workers[static_cast<std::size_t>(thread)];
      const std::size_t n = tile.numbers.size();
      worker.labels.resize(n);
      worker.distances.resize(n);
      nearest.search(tile.values, worker.labels, worker.distances, worker.workspace);
      for (std::size_t i = 0; i < n; ++i) {
        const auto index = static_cast<std::size_t>(tile.indices[i]);
        result.labels[index] = static_cast<std::int32_t>(worker.labels[i]);
        result.distances[index] = worker.distances[i];
      }
    });
  });
  return result;
}

void assign(std::span<const float> rows, std::span<const float> centroids, std::size_t dimension,
            std::span<std::int64_t> labels, std::span<float> distances) {
  NearestCentroid::Workspace workspace;
  NearestCentroid(centroids, dimension).search(rows, labels, distances, workspace);
}

}  // namespace quasar::cluster
