#include "cluster/assignment_pass.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "base/errors.h"

namespace quasar::cluster {
namespace {

void check_finite(std::span<const float> row, std::int64_t number) {
  if (std::isfinite(largest_magnitude(row))) return;
  base::fail(base::ExitCode::kInput, "row " + std::to_string(number) +
                                         " holds a value that is not finite, which it did not when first "
                                         "read: its file has changed under k-means");
}

}  // namespace

AssignmentPass::AssignmentPass(TrainingRows& rows, std::size_t k, ThreadTeam& team,
                               const comm::Communicator& comm, std::int64_t bounds)
    : rows_(rows),
      team_(team),
      comm_(comm),
      scale_(rows.largest(), static_cast<std::uint64_t>(rows.total())),
      sums_(k, rows.dimension(), scale_, team.size()),
      farthest_(std::min(k, static_cast<std::size_t>(rows.total()))),
      workers_(static_cast<std::size_t>(team.size())),
      bounds_(static_cast<std::size_t>(bounds)) {}

std::uint64_t AssignmentPass::worker_bytes(std::size_t k, std::size_t dimension) {
  const std::uint64_t tile = NearestCentroid::kTileRows;
  // Labels, distances, numbers and places of a tile, its values when they have to be gathered, the objective.
  return NearestCentroid::workspace_bytes(k, dimension) + tile * (3 * sizeof(std::int64_t) + sizeof(float)) +
         tile * dimension * sizeof(float) + sizeof(BinnedSum);
}

std::uint64_t AssignmentPass::bounds_bytes(std::int64_t local_rows, std::size_t k, std::size_t dimension,
                                           int threads) {
  if (local_rows == 0) return 0;
  const std::uint64_t gathered = kGatheredRows * (dimension * sizeof(float) + 2 * sizeof(std::int64_t));
  const std::uint64_t tile = NearestCentroid::kTileRows * (sizeof(float) + sizeof(std::size_t));
  return static_cast<std::uint64_t>(local_rows) * sizeof(RowBound) + k * dimension * sizeof(float) +
         static_cast<std::uint64_t>(threads) * (gathered + tile);
}

std::span<const std::int64_t> AssignmentPass::run(std::span<const float> centroids) {
  sums_.clear();
  farthest_.clear();
  for (auto& worker : workers_) {
    worker.objective = {};
    worker.searched = 0;
  }
  {
    const NearestCentroid nearest(centroids, rows_.dimension());
    note_moves(centroids);
    comm_.together([&] {
      rows_.for_each(static_cast<std::int64_t>(nearest.tile_rows()),
                     [&](int thread, const RowTile& tile) { assign_tile(nearest, thread, tile); });
      if (!bounds_.empty()) team_.run([&](int thread) { search_gathered(nearest, thread); });
    });
  }
  join_workers();
  const auto joined = sums_.joined();
  comm_.all_reduce(joined, comm::Reduction::kSum);
  return joined;
}

void AssignmentPass::join_workers() {
  const auto objective = workers_.front().objective.bins();
  searched_ = workers_.front().searched;
  for (std::size_t w = 1; w < workers_.size(); ++w) {
    for (std::size_t bin = 0; bin < objective.size(); ++bin) {
      objective[bin] += workers_[w].objective.bins()[bin];
    }
    searched_ += workers_[w].searched;
  }
  comm_.all_reduce(objective, comm::Reduction::kSum);
  searched_ = comm_.all_reduce(searched_, comm::Reduction::kSum);
}

std::vector<float> AssignmentPass::farthest(std::size_t count) {
  auto mine = farthest_.sorted();
  mine.resize(std::min(count, mine.size()));
  const auto ranks = static_cast<std::size_t>(comm_.size());
  const auto parts = comm_.exchange(std::vector<std::vector<FarthestRows::Row>>(ranks, mine));
  std::vector<FarthestRows::Row> all;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    for (auto row : parts[rank]) {
      // Only the owner's places in its source are of use here.
      if (rank != static_cast<std::size_t>(comm_.rank())) row.index = -1;
      all.push_back(row);
    }
  }
  std::ranges::sort(all, FarthestRows::before);
  std::vector<std::int64_t> owned;
  for (std::size_t i = 0; i < count; ++i) owned.push_back(all[i].index);
  return rows_.fetch(owned);
}

void AssignmentPass::note_moves(std::span<const float> centroids) {
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

float AssignmentPass::moved_bound(const RowBound& bound) const {
  const double move = bound.label == moved_.which ? moved_.most_of_others : moved_.most;
  const double others = (static_cast<double>(bound.others) - move) * (1 - 0x1p-22);
  return others > 0 ? static_cast<float>(others) : 0.0F;
}

void AssignmentPass::assign_tile(const NearestCentroid& nearest, int thread, const RowTile& tile) {
  if (bounds_.empty()) return search_tile(nearest, thread, tile);
  auto& own = worker(thread);
  const std::size_t d = rows_.dimension();
  own.open.clear();
  for (std::size_t i = 0; i < tile.numbers.size(); ++i) {
    auto& bound = bounds_[static_cast<std::size_t>(tile.indices[i])];
    bound.others = moved_bound(bound);
    const auto row = tile.values.subspan(i * d, d);
    const auto distance = nearest.settled(row.data(), bound.label, bound.others);
    if (!distance) {
      own.open.push_back(i);
      continue;
    }
    const std::int64_t label = bound.label;
    take(own, *distance, tile.numbers[i], tile.indices[i]);
    sums_.add(thread, row, {&label, 1});
  }
  if (own.open.size() == tile.numbers.size()) return search_tile(nearest, thread, tile);
  for (const std::size_t i : own.open) {
    const auto row = tile.values.subspan(i * d, d);
    own.values.insert(own.values.end(), row.begin(), row.end());
    own.numbers.push_back(tile.numbers[i]);
    own.indices.push_back(tile.indices[i]);
    if (own.numbers.size() == std::min(kGatheredRows, nearest.tile_rows())) {
      search_gathered(nearest, thread);
    }
  }
}

void AssignmentPass::search_gathered(const NearestCentroid& nearest, int thread) {
  auto& own = worker(thread);
  if (!own.numbers.empty()) search_tile(nearest, thread, {own.values, own.numbers, own.indices});
  own.values.clear();
  own.numbers.clear();
  own.indices.clear();
}

void AssignmentPass::search_tile(const NearestCentroid& nearest, int thread, const RowTile& tile) {
  auto& own = worker(thread);
  const std::size_t n = tile.numbers.size();
  own.labels.resize(n);
  own.distances.resize(n);
  own.others.resize(bounds_.empty() ? 0 : n);
  own.searched += static_cast<std::int64_t>(n);
  nearest.search(tile.values, own.labels, own.distances, own.workspace, own.others);
  for (std::size_t i = 0; i < n; ++i) {
    const float distance = own.distances[i];
    if (distance == std::numeric_limits<float>::max()) {
      check_finite(tile.values.subspan(i * rows_.dimension(), rows_.dimension()), tile.numbers[i]);
    }
    take(own, distance, tile.numbers[i], tile.indices[i]);
    if (bounds_.empty()) continue;
    bounds_[static_cast<std::size_t>(tile.indices[i])] = {static_cast<std::int32_t>(own.labels[i]),
                                                          own.others[i]};
  }
  sums_.add(thread, tile.values, own.labels);
}

void AssignmentPass::take(Worker& worker, float distance, std::int64_t number, std::int64_t index) {
  worker.objective.add(distance);
  farthest_.offer({distance, number, index});
}

}  // namespace quasar::cluster
