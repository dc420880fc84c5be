#include "cluster/hierarchy.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <tuple>

#include "base/activity.h"
#include "base/errors.h"

namespace quasar::cluster {
namespace {

/// Some rows of another source, which outlives it.
class ChosenRows final : public RowSource {
 public:
  /// `indices`: places in the source, ascending.
  ChosenRows(RowSource& source, std::vector<std::int64_t> indices)
      : source_(source), indices_(std::move(indices)) {}

  std::size_t dimension() const override { return source_.dimension(); }
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
    for (std::int64_t done = 0; done < count;) {
      const auto at = static_cast<std::size_t>(first + done);
      std::int64_t length = 1;
      while (done + length < count &&
             indices_[at + static_cast<std::size_t>(length)] == indices_[at] + length) {
        ++length;
      }
      const auto place = static_cast<std::size_t>(done);
      const auto rows = static_cast<std::size_t>(length);
      source_.read(indices_[at], length,
                   values.empty() ? values : values.subspan(place * dimension(), rows * dimension()),
                   numbers.empty() ? numbers : numbers.subspan(place, rows));
      done += length;
    }
  }

 private:
  RowSource& source_;
  std::vector<std::int64_t> indices_;
};

/// A row that may be among the nearest of its centroid.
struct Candidate {
  std::int64_t number = 0;
  std::int64_t index = 0;  ///< In the source of the rank that has it.
  float distance = 0;
  std::int32_t label = 0;
};

/// Nearest first, ties by number.
bool comes_before(const Candidate& a, const Candidate& b) {
  return std::tie(a.label, a.distance, a.number) < std::tie(b.label, b.distance, b.number);
}

/// The first `most` of each label, of sorted candidates.
template <typename Take>
void for_each_first(std::span<const Candidate> sorted, int most, const Take& take) {
  int taken = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    taken = i > 0 && sorted[i].label == sorted[i - 1].label ? taken + 1 : 0;
    if (taken < most) take(i);
  }
}

/// Places in this rank's source, ascending, of those rows that are among the `most` of all ranks that are
/// nearest their centroids. Collective.
std::vector<std::int64_t> nearest_rows(RowSource& rows, const RowLabels& labels, int most,
                                       const comm::Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::int64_t> numbers(labels.labels.size());
  std::vector<Candidate> mine;
  comm.together([&] {
    rows.read(0, rows.size(), {}, numbers);
    mine.reserve(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (labels.labels[i] < 0) continue;
      mine.push_back({numbers[i], static_cast<std::int64_t>(i), labels.distances[i], labels.labels[i]});
    }
    std::ranges::sort(mine, comes_before);
  });
  // A rank decides for the labels that are its own, and tells each what it has of the nearest.
  std::vector<std::vector<Candidate>> asked(ranks);
  for_each_first(mine, most, [&](std::size_t i) {
    asked[static_cast<std::size_t>(mine[i].label) % ranks].push_back(mine[i]);
  });
  mine = {};
  struct Offer {
    Candidate candidate;
    std::size_t rank;
  };
  std::vector<Offer> offers;
  const auto received = comm.exchange(asked);
  for (std::size_t r = 0; r < ranks; ++r) {
    for (const auto& candidate : received[r]) offers.push_back({candidate, r});
  }
  std::ranges::sort(offers, comes_before, &Offer::candidate);
  std::vector<Candidate> sorted;
  for (const auto& offer : offers) sorted.push_back(offer.candidate);
  std::vector<std::vector<std::int64_t>> chosen(ranks);
  for_each_first(sorted, most,
                 [&](std::size_t i) { chosen[offers[i].rank].push_back(offers[i].candidate.index); });
  std::vector<std::int64_t> indices;
  for (const auto& part : comm.exchange(chosen)) indices.insert(indices.end(), part.begin(), part.end());
  std::ranges::sort(indices);
  return indices;
}

/// k-means on a source, and again on what its resampling asks for.
class LevelClustering {
 public:
  LevelClustering(RowSource& rows, const HierarchyConfig& config, std::size_t level,
                  const comm::Communicator& comm, const KMeansRuntime& runtime)
      : rows_(rows), config_(config), level_(level), comm_(comm), runtime_(runtime) {}

  void run() {
    centroids_ = cluster(rows_, 0);
    assign();
    const auto resampling = level_ < config_.resampling.size() ? config_.resampling[level_] : Resampling{};
    for (int step = 1; step <= resampling.steps; ++step) {
      ChosenRows chosen(rows_, nearest_rows(rows_, labels_, resampling.rows, comm_));
      // Centroids without rows, which equal rows bring about, leave too few.
      if (comm_.all_reduce(chosen.size(), comm::Reduction::kSum) < config_.levels[level_]) break;
      centroids_ = cluster(chosen, step);
      assign();
    }
  }
  std::vector<float> take_centroids() { return std::move(centroids_); }
  std::vector<std::int32_t> take_labels() { return std::move(labels_.labels); }

 private:
  std::vector<float> cluster(RowSource& rows, int step) const {
    const KMeansConfig config{.k = config_.levels[level_],
                              .iterations = config_.iterations,
                              .seed = config_.seed + static_cast<std::uint64_t>(step)};
    auto runtime = runtime_;
    if (!runtime.checkpoint.empty())
      runtime.checkpoint += "-" + std::to_string(level_ + 1) + "-" + std::to_string(step);
    return kmeans(rows, config, comm_, {}, runtime).centroids;
  }
  void assign() {
    labels_ = {};
    labels_ = assign_rows(rows_, centroids_, comm_, runtime_);
  }

  RowSource& rows_;
  const HierarchyConfig& config_;
  std::size_t level_;
  const comm::Communicator& comm_;
  const KMeansRuntime& runtime_;
  std::vector<float> centroids_;
  RowLabels labels_;
};

/// This rank's part of the centroids of a level.
struct CentroidPart {
  std::vector<std::int64_t> numbers;
  std::size_t begin = 0;

  CentroidPart(std::size_t count, const comm::Communicator& comm) {
    const auto rank = static_cast<std::size_t>(comm.rank());
    const auto ranks = static_cast<std::size_t>(comm.size());
    begin = count * rank / ranks;
    numbers.resize(count * (rank + 1) / ranks - begin);
    std::iota(numbers.begin(), numbers.end(), static_cast<std::int64_t>(begin));
  }
};

}  // namespace

Hierarchy cluster_hierarchy(RowSource& rows, const HierarchyConfig& config, const comm::Communicator& comm,
                            const KMeansRuntime& runtime) {
  const base::Phase phase("hierarchical k-means");
  QUASAR_CHECK(!config.levels.empty());
  const std::size_t d = rows.dimension();
  Hierarchy hierarchy;
  hierarchy.levels.resize(config.levels.size());
  for (std::size_t l = 0; l < config.levels.size(); ++l) {
    auto& level = hierarchy.levels[l];
    level.sizes.assign(static_cast<std::size_t>(config.levels[l]), 0);
    if (l == 0) {
      LevelClustering clustering(rows, config, l, comm, runtime);
      clustering.run();
      level.centroids = clustering.take_centroids();
      hierarchy.labels = clustering.take_labels();
      for (const std::int32_t label : hierarchy.labels) {
        if (label >= 0) ++level.sizes[static_cast<std::size_t>(label)];
      }
      comm.all_reduce(level.sizes, comm::Reduction::kSum);
      continue;
    }
    auto& below = hierarchy.levels[l - 1];
    const CentroidPart part(below.sizes.size(), comm);
    MemoryRows source(LocalRows{std::span(below.centroids).subspan(part.begin * d, part.numbers.size() * d),
                                part.numbers, d});
    LevelClustering clustering(source, config, l, comm, runtime);
    clustering.run();
    level.centroids = clustering.take_centroids();
    std::vector<std::int64_t> parents(below.sizes.size(), 0);
    std::ranges::copy(clustering.take_labels(), parents.begin() + static_cast<std::ptrdiff_t>(part.begin));
    comm.all_reduce(parents, comm::Reduction::kSum);
    below.parents.assign(parents.begin(), parents.end());
    for (std::size_t c = 0; c < parents.size(); ++c)
      level.sizes[static_cast<std::size_t>(parents[c])] += below.sizes[c];
  }
  return hierarchy;
}

}  // namespace quasar::cluster
