#include "cluster/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "base/activity.h"
#include "base/errors.h"
#include "base/progress.h"
#include "cluster/centroid_sums.h"
#include "cluster/exact_sum.h"
#include "cluster/kmeans_checkpoint.h"
#include "cluster/nearest.h"
#include "cluster/thread_team.h"
#include "cluster/training_rows.h"
#include "comm/cores.h"

namespace quasar::cluster {
namespace {

constexpr auto kTileRows = static_cast<std::int64_t>(NearestCentroid::kTileRows);

/// What one thread needs to assign tiles.
struct Worker {
  NearestCentroid::Workspace workspace;
  std::vector<std::int64_t> labels;
  std::vector<float> distances;
  std::vector<float> others;
  std::vector<std::size_t> open;  ///< Rows of a tile that have to be searched for.
  /// Such rows of several tiles, until there are enough for a product.
  std::vector<float> values;
  std::vector<std::int64_t> numbers;
  std::vector<std::int64_t> indices;
  std::int64_t searched = 0;
  BinnedSum objective;
};

/// What is known of a row since it was last searched for.
struct RowBound {
  std::int32_t label = 0;
  float others = 0;  ///< At most the distance to the nearest centroid that is not the label; 0: unknown.
};

/// Most rows that a thread gathers before it searches for them.
constexpr std::size_t kGatheredRows = 128;

std::uint64_t bounds_bytes(std::int64_t local_rows, std::size_t k, std::size_t dimension, int threads) {
  if (local_rows == 0) return 0;
  const std::uint64_t gathered = kGatheredRows * (dimension * sizeof(float) + 2 * sizeof(std::int64_t));
  const std::uint64_t tile = static_cast<std::uint64_t>(kTileRows) * (sizeof(float) + sizeof(std::size_t));
  return static_cast<std::uint64_t>(local_rows) * sizeof(RowBound) + k * dimension * sizeof(float) +
         static_cast<std::uint64_t>(threads) * (gathered + tile);
}

/// Rows in memory come before bounds; where rows are streamed anyway, bounds may take a quarter of their
/// room.
bool bounds_fit(std::uint64_t bounds, std::uint64_t rows, std::uint64_t room, std::size_t dimension) {
  if (bounds == 0 || rows <= room) return bounds != 0 && bounds <= room - rows;
  const std::uint64_t least = 2 * static_cast<std::uint64_t>(kTileRows) * dimension * sizeof(float);
  return bounds <= room / 4 && least <= room - bounds;
}

std::uint64_t worker_bytes(std::size_t k, std::size_t dimension) {
  const auto tile = static_cast<std::uint64_t>(kTileRows);
  // Labels, distances, numbers and places of a tile, its values when they have to be gathered, the objective.
  return NearestCentroid::workspace_bytes(k, dimension) + tile * (3 * sizeof(std::int64_t) + sizeof(float)) +
         tile * dimension * sizeof(float) + sizeof(BinnedSum);
}

/// One pass over the rows: assigns each to its nearest centroid and adds it up there.
///
/// A row whose label cannot have changed is not searched for (Hamerly, "Making k-means even faster", SDM
/// 2010; Yinyang k-means, Ding et al., ICML 2015, has the same test with a bound for each of several groups).
/// When centroids move by at most m, the triangle inequality lowers the distance to the nearest of those that
/// are not the label by at most m. The distance to the label is measured anyway, for the objective;
/// NearestCentroid::settled allows for the errors of that and of FAISS's distances. Every number here is
/// rounded to the safe side: moves up, bounds down. What is skipped is thus decided, and the result has the
/// same bits as without.
class AssignmentPass {
 public:
  /// `bounds`: places of this rank's source to remember something of; 0: none.
  AssignmentPass(TrainingRows& rows, std::size_t k, ThreadTeam& team, const comm::Communicator& comm,
                 std::int64_t bounds = 0)
      : rows_(rows),
        team_(team),
        comm_(comm),
        scale_(rows.largest(), static_cast<std::uint64_t>(rows.total())),
        sums_(k, rows.dimension(), scale_, team.size()),
        farthest_(std::min(k, static_cast<std::size_t>(rows.total()))),
        workers_(static_cast<std::size_t>(team.size())),
        bounds_(static_cast<std::size_t>(bounds)) {}

  /// Sums [k, d] and counts [k] over all ranks. Collective.
  std::span<const std::int64_t> run(std::span<const float> centroids) {
    sums_.clear();
    farthest_.clear();
    for (auto& worker : workers_) {
      worker.objective = {};
      worker.searched = 0;
    }
    std::optional<NearestCentroid> nearest;
    nearest.emplace(centroids, rows_.dimension());
    move_bounds(centroids);
    comm_.together([&] {
      rows_.for_each(static_cast<std::int64_t>(nearest->tile_rows()),
                     [&](int thread, const RowTile& tile) { assign_tile(*nearest, thread, tile); });
      if (!bounds_.empty()) team_.run([&](int thread) { search_gathered(*nearest, thread); });
    });
    nearest.reset();
    for (std::size_t w = 1; w < workers_.size(); ++w) {
      for (std::size_t bin = 0; bin < objective_bins().size(); ++bin) {
        objective_bins()[bin] += workers_[w].objective.bins()[bin];
      }
    }
    comm_.all_reduce(objective_bins(), comm::Reduction::kSum);
    searched_ = 0;
    for (const auto& worker : workers_) searched_ += worker.searched;
    searched_ = comm_.all_reduce(searched_, comm::Reduction::kSum);
    const auto joined = sums_.joined();
    comm_.all_reduce(joined, comm::Reduction::kSum);
    return joined;
  }

  const FixedPointScale& scale() const { return scale_; }
  double objective() const { return workers_.front().objective.value(); }
  /// Rows of all ranks that the last run searched for.
  std::int64_t searched() const { return searched_; }

  /// The rows [count, d] of all ranks that lay farthest from their centroids in the last run. Collective.
  std::vector<float> farthest(std::size_t count) {
    auto mine = farthest_.sorted();
    mine.resize(std::min(count, mine.size()));
    std::vector<FarthestRows::Row> all;
    std::vector<std::int64_t> owned;
    const auto ranks = static_cast<std::size_t>(comm_.size());
    for (const auto& part : comm_.exchange(std::vector<std::vector<FarthestRows::Row>>(ranks, mine))) {
      // Only the owner's places in its source are of use here.
      const bool own = owned_next_ == static_cast<std::size_t>(comm_.rank());
      ++owned_next_;
      for (auto row : part) {
        if (!own) row.index = -1;
        all.push_back(row);
      }
    }
    owned_next_ = 0;
    std::ranges::sort(all, FarthestRows::before);
    for (std::size_t i = 0; i < count; ++i) owned.push_back(all[i].index);
    return rows_.fetch(owned);
  }

 private:
  std::span<std::int64_t> objective_bins() { return workers_.front().objective.bins(); }

  /// How far each centroid may have come since the last run: the farthest, which one, and the farthest other.
  void move_bounds(std::span<const float> centroids) {
    if (bounds_.empty()) return;
    const std::size_t d = rows_.dimension();
    moved_ = {};
    for (std::size_t c = 0; !previous_.empty() && c < centroids.size() / d; ++c) {
      double square = 0;
      for (std::size_t j = c * d; j < (c + 1) * d; ++j) {
        const double difference = static_cast<double>(centroids[j]) - static_cast<double>(previous_[j]);
        square += difference * difference;
      }
      // Sums in double err by less than d 2^-52 of themselves.
      const double move = std::sqrt(square) * (1 + static_cast<double>(d + 8) * 0x1p-52);
      if (move > moved_.most) {
        moved_.most_of_others = moved_.most;
        moved_.most = move;
        moved_.which = static_cast<std::int32_t>(c);
      } else {
        moved_.most_of_others = std::max(moved_.most_of_others, move);
      }
    }
    previous_.assign(centroids.begin(), centroids.end());
  }

  float moved_bound(const RowBound& bound) const {
    const double move = bound.label == moved_.which ? moved_.most_of_others : moved_.most;
    const double others = (static_cast<double>(bound.others) - move) * (1 - 0x1p-22);
    return others > 0 ? static_cast<float>(others) : 0.0F;
  }

  void assign_tile(const NearestCentroid& nearest, int thread, const RowTile& tile) {
    if (bounds_.empty()) return search_tile(nearest, thread, tile);
    auto& worker = workers_[static_cast<std::size_t>(thread)];
    const std::size_t d = rows_.dimension();
    worker.open.clear();
    for (std::size_t i = 0; i < tile.numbers.size(); ++i) {
      auto& bound = bounds_[static_cast<std::size_t>(tile.indices[i])];
      bound.others = moved_bound(bound);
      const auto row = tile.values.subspan(i * d, d);
      const auto distance = nearest.settled(row.data(), bound.label, bound.others);
      if (!distance) {
        worker.open.push_back(i);
        continue;
      }
      const std::int64_t label = bound.label;
      take(worker, *distance, tile.numbers[i], tile.indices[i]);
      sums_.add(thread, row, {&label, 1});
    }
    if (worker.open.size() == tile.numbers.size()) return search_tile(nearest, thread, tile);
    for (const std::size_t i : worker.open) {
      const auto row = tile.values.subspan(i * d, d);
      worker.values.insert(worker.values.end(), row.begin(), row.end());
      worker.numbers.push_back(tile.numbers[i]);
      worker.indices.push_back(tile.indices[i]);
      if (worker.numbers.size() == std::min(kGatheredRows, nearest.tile_rows())) {
        search_gathered(nearest, thread);
      }
    }
  }

  void search_gathered(const NearestCentroid& nearest, int thread) {
    auto& worker = workers_[static_cast<std::size_t>(thread)];
    if (!worker.numbers.empty()) {
      search_tile(nearest, thread, {worker.values, worker.numbers, worker.indices});
    }
    worker.values.clear();
    worker.numbers.clear();
    worker.indices.clear();
  }

  void search_tile(const NearestCentroid& nearest, int thread, const RowTile& tile) {
    auto& worker = workers_[static_cast<std::size_t>(thread)];
    const std::size_t n = tile.numbers.size();
    worker.labels.resize(n);
    worker.distances.resize(n);
    worker.others.resize(bounds_.empty() ? 0 : n);
    worker.searched += static_cast<std::int64_t>(n);
    nearest.search(tile.values, worker.labels, worker.distances, worker.workspace, worker.others);
    for (std::size_t i = 0; i < n; ++i) {
      const float distance = worker.distances[i];
      if (distance == std::numeric_limits<float>::max()) {
        check_finite(tile.values.subspan(i * rows_.dimension(), rows_.dimension()), tile.numbers[i]);
      }
      take(worker, distance, tile.numbers[i], tile.indices[i]);
      if (bounds_.empty()) continue;
      bounds_[static_cast<std::size_t>(tile.indices[i])] = {static_cast<std::int32_t>(worker.labels[i]),
                                                            worker.others[i]};
    }
    sums_.add(thread, tile.values, worker.labels);
  }

  void take(Worker& worker, float distance, std::int64_t number, std::int64_t index) {
    worker.objective.add(distance);
    farthest_.offer({distance, number, index});
  }

  static void check_finite(std::span<const float> row, std::int64_t number) {
    if (std::isfinite(largest_magnitude(row))) return;
    base::fail(base::ExitCode::kInput, "row " + std::to_string(number) +
                                           " holds a value that is not finite, which it did not when first "
                                           "read: its file has changed under k-means");
  }

  struct Moved {
    double most = 0;
    double most_of_others = 0;
    std::int32_t which = -1;
  };

  TrainingRows& rows_;
  ThreadTeam& team_;
  const comm::Communicator& comm_;
  FixedPointScale scale_;
  CentroidSums sums_;
  FarthestRows farthest_;
  std::vector<Worker> workers_;
  std::size_t owned_next_ = 0;
  std::vector<RowBound> bounds_;  ///< By place in the source. Empty: every row is searched for.
  std::vector<float> previous_;   ///< Centroids of the last run, with bounds.
  Moved moved_;
  std::int64_t searched_ = 0;
};

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

std::uint64_t row_bytes(std::int64_t rows, std::size_t dimension) {
  return static_cast<std::uint64_t>(rows) * dimension * sizeof(float);
}

/// What an optional limit leaves for rows.
std::uint64_t row_budget(const RowSource& rows, int k, int threads, const KMeansRuntime& runtime) {
  if (runtime.memory_bytes == 0) return std::numeric_limits<std::uint64_t>::max();
  const auto memory = kmeans_memory(0, rows.dimension(), k, threads, 0);
  const std::uint64_t least = least_kmeans_memory(rows.dimension(), k, threads);
  if (runtime.memory_bytes < least) {
    base::fail(base::ExitCode::kConfig, "k-means with k = " + std::to_string(k) + " and " +
                                            std::to_string(rows.dimension()) + " dimensions needs at least " +
                                            base::human_bytes(least) + " on each rank; the limit is " +
                                            base::human_bytes(runtime.memory_bytes));
  }
  return runtime.memory_bytes - memory.total();
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
  comm.together([&] { budget.bytes = row_budget(source, static_cast<int>(k), team.size(), runtime); });
  return {source, budget, team, comm};
}

}  // namespace

KMeansResult kmeans(RowSource& source, const KMeansConfig& config, const comm::Communicator& comm,
                    const OnIteration& on_iteration, const KMeansRuntime& runtime) {
  const base::Phase phase("k-means");
  QUASAR_CHECK(config.k > 0 && config.iterations >= 0 && source.dimension() > 0);
  ThreadTeam team(threads_of(runtime, comm));
  RowBudget budget;
  std::int64_t bounds = 0;
  comm.together([&] {
    budget.bytes = row_budget(source, config.k, team.size(), runtime);
    if (!runtime.bounds) return;
    const std::uint64_t bytes =
        bounds_bytes(source.size(), static_cast<std::size_t>(config.k), source.dimension(), team.size());
    const std::uint64_t values = source.resident().empty() ? row_bytes(source.size(), source.dimension()) : 0;
    if (!bounds_fit(bytes, values, budget.bytes, source.dimension())) return;
    bounds = source.size();
    budget.bytes -= bytes;
  });
  budget.fingerprint = !runtime.checkpoint.empty();
  TrainingRows rows(source, budget, team, comm);
  if (rows.total() < config.k) {
    base::fail(base::ExitCode::kInput,
               "k-means with k = " + std::to_string(config.k) +
                   " needs at least as many finite rows; there are " + std::to_string(rows.total()) + " (" +
                   std::to_string(rows.not_finite()) + " more hold values that are not finite)");
  }
  const KMeansIdentity identity{config.k,
                                config.seed,
                                config.max_points_per_centroid,
                                static_cast<std::int64_t>(source.dimension()),
                                rows.total(),
                                rows.not_finite(),
                                rows.fingerprint()};
  KMeansState state;
  // Also when a checkpoint replaces them: the sample that comes with them is needed.
  state.result.centroids = choose_start(rows, config);
  state.result.sizes.assign(static_cast<std::size_t>(config.k), 0);
  state.result.rows_used = rows.total();
  state.result.rows_not_finite = rows.not_finite();
  if (!runtime.checkpoint.empty()) {
    // A few megabytes read by every rank would need a shared folder; root reads and tells.
    std::int64_t found = 0;
    comm.on_root([&] {
      auto stored = read_checkpoint(runtime.checkpoint, identity);
      // A state past the iterations asked for is of no use: going back is not possible.
      if (!stored || static_cast<int>(stored->result.iterations.size()) > config.iterations) return;
      stored->result.rows_used = rows.total();
      state = std::move(*stored);
      found = 1;
    });
    if (comm.all_reduce(found, comm::Reduction::kMax) == 1) {
      auto converged = static_cast<std::int64_t>(state.converged);
      comm.broadcast(state.result.centroids);
      comm.broadcast(state.result.sizes);
      comm.broadcast(state.result.iterations);
      comm.broadcast(std::as_writable_bytes(std::span(&converged, 1)));
      state.converged = converged == 1;
    }
  }
  AssignmentPass pass(rows, static_cast<std::size_t>(config.k), team, comm, bounds);
  while (!state.converged && static_cast<int>(state.result.iterations.size()) < config.iterations) {
    iterate(pass, rows, state);
    if (!runtime.checkpoint.empty()) {
      comm.on_root([&] { write_checkpoint(runtime.checkpoint, identity, state); });
    }
    if (comm.is_root() && on_iteration) {
      on_iteration(static_cast<int>(state.result.iterations.size()) - 1, state.result.iterations.back());
    }
    const std::int64_t stop = runtime.stop_requested && runtime.stop_requested() ? 1 : 0;
    if (comm.all_reduce(stop, comm::Reduction::kMax) == 1) {
      base::fail(base::ExitCode::kInterrupted,
                 "k-means was stopped by a signal after iteration " +
                     std::to_string(state.result.iterations.size()) +
                     (runtime.checkpoint.empty() ? "" : "; the same command continues from there"));
    }
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

std::uint64_t least_kmeans_memory(std::size_t dimension, int k, int threads) {
  const std::uint64_t rows = 2 * static_cast<std::uint64_t>(kTileRows) * dimension * sizeof(float);
  return kmeans_memory(0, dimension, k, threads, 0).total() + rows;
}

KMeansMemory kmeans_memory(std::int64_t local_rows, std::size_t dimension, int k, int threads,
                           std::uint64_t memory_bytes) {
  const auto clusters = static_cast<std::size_t>(k);
  KMeansMemory memory;
  // Centroids, those before the update, and those read at the start; prepared ones; farthest rows, twice.
  memory.model = 3 * clusters * dimension * sizeof(float) +
                 NearestCentroid::prepared_bytes(clusters, dimension) +
                 CentroidSums::bytes(clusters, dimension, threads) + 2 * clusters * sizeof(FarthestRows::Row);
  memory.threads = static_cast<std::uint64_t>(threads) * worker_bytes(clusters, dimension);
  memory.rows = row_bytes(local_rows, dimension);
  const std::uint64_t bounds = bounds_bytes(local_rows, clusters, dimension, threads);
  const std::uint64_t fixed = memory.model + memory.threads;
  if (memory_bytes == 0 || memory.total() <= memory_bytes) {
    const bool fit = memory_bytes == 0 || bounds_fit(bounds, memory.rows, memory_bytes - fixed, dimension);
    memory.bounds = fit ? bounds : 0;
    return memory;
  }
  const std::uint64_t least = 2 * static_cast<std::uint64_t>(kTileRows) * dimension * sizeof(float);
  if (memory_bytes < fixed + least) {
    base::fail(base::ExitCode::kConfig, "k-means with k = " + std::to_string(k) + " and " +
                                            std::to_string(dimension) + " dimensions needs at least " +
                                            base::human_bytes(fixed + least) +
                                            " on each rank; the limit is " + base::human_bytes(memory_bytes));
  }
  memory.streamed = true;
  std::uint64_t room = memory_bytes - fixed;
  if (bounds_fit(bounds, memory.rows, room, dimension)) {
    memory.bounds = bounds;
    room -= bounds;
  }
  memory.rows = 2 * row_bytes(TrainingRows::chunk_rows(room, dimension), dimension);
  return memory;
}

}  // namespace quasar::cluster
