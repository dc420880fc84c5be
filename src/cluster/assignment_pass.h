// Internal to the module: owns one pass of k-means over the rows, which assigns each to its nearest centroid
// and adds it up there.
//
// A row whose label cannot have changed is not searched for (Hamerly, "Making k-means even faster", SDM
// 2010; Yinyang k-means, Ding et al., ICML 2015, has the same test with a bound for each of several groups).
// When centroids move by at most m, the triangle inequality lowers the distance to the nearest of those that
// are not the label by at most m. The distance to the label is measured anyway, for the objective;
// NearestCentroid::settled allows for the errors of that and of FAISS's distances. Every number here is
// rounded to the safe side: moves up, bounds down. What is skipped is thus decided, and the result has the
// same bits as without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/centroid_sums.h"
#include "cluster/exact_sum.h"
#include "cluster/nearest.h"
#include "cluster/thread_team.h"
#include "cluster/training_rows.h"
#include "comm/communicator.h"

namespace quasar::cluster {

class AssignmentPass {
 public:
  /// `bounds`: places of this rank's source to remember something of; 0: none. All but that outlive it.
  AssignmentPass(TrainingRows& rows, std::size_t k, ThreadTeam& team, const comm::Communicator& comm,
                 std::int64_t bounds = 0);

  /// Sums [k, d] and counts [k] of all ranks' rows, valid until the next run. Collective. Throws
  /// Error(kInput) when a row has changed to not finite.
  std::span<const std::int64_t> run(std::span<const float> centroids);

  const FixedPointScale& scale() const { return scale_; }
  double objective() const { return workers_.front().objective.value(); }
  /// Rows of all ranks that the last run searched for.
  std::int64_t searched() const { return searched_; }

  /// The rows [count, d] of all ranks that lay farthest from their centroids in the last run. Collective.
  std::vector<float> farthest(std::size_t count);

  /// Bytes of what one thread works in.
  static std::uint64_t worker_bytes(std::size_t k, std::size_t dimension);
  /// Bytes that bounds on `local_rows` rows take on a rank, what its threads need for them included.
  static std::uint64_t bounds_bytes(std::int64_t local_rows, std::size_t k, std::size_t dimension,
                                    int threads);

 private:
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
  /// How far centroids may have come since the last run: the farthest, the farthest other, and which one.
  struct Moved {
    double most = 0;
    double most_of_others = 0;
    std::int32_t which = -1;
  };
  /// Most rows that a thread gathers before it searches for them.
  static constexpr std::size_t kGatheredRows = 128;

  Worker& worker(int thread) { return workers_[static_cast<std::size_t>(thread)]; }
  /// Adds up over threads and ranks what they counted. Collective.
  void join_workers();
  void note_moves(std::span<const float> centroids);
  float moved_bound(const RowBound& bound) const;
  void assign_tile(const NearestCentroid& nearest, int thread, const RowTile& tile);
  void search_gathered(const NearestCentroid& nearest, int thread);
  void search_tile(const NearestCentroid& nearest, int thread, const RowTile& tile);
  void take(Worker& worker, float distance, std::int64_t number, std::int64_t index);

  TrainingRows& rows_;
  ThreadTeam& team_;
  const comm::Communicator& comm_;
  FixedPointScale scale_;
  CentroidSums sums_;
  FarthestRows farthest_;
  std::vector<Worker> workers_;
  std::vector<RowBound> bounds_;  ///< By place in the source. Empty: every row is searched for.
  std::vector<float> previous_;   ///< Centroids of the last run, with bounds.
  Moved moved_;
  std::int64_t searched_ = 0;
};

}  // namespace quasar::cluster
