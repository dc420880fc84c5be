// Internal to the module: owns the search for rows whose embeddings point in nearly the same direction.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cluster/cosine_pairs.h"
#include "curation/likeness_search.h"

namespace quasar::curation {

/// As a LikenessSearch, of embeddings that share a cluster (cluster/cosine_pairs.h).
class EmbeddingSearch final : public LikenessSearch {
 public:
  /// `vectors`: by place on this rank, the number of the row's embedding; kNoVector for rows that are not
  /// looked at. `rows` outlives it. Collective. Throws what cluster::CosinePairs does.
  EmbeddingSearch(const RowStates& rows, std::vector<std::uint64_t> vectors, const VectorsOf& vectors_of,
                  const cluster::CosineSettings& settings, const std::function<bool()>& stop_requested);

  Likeness likeness() const override { return Likeness::kCosine; }
  void within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) override;
  void across(const Chosen& chosen, std::uint64_t boundary, cluster::ThreadTeam& team,
              const TakePairs& take) override;
  void with_outside(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) override;

  /// As within(), but of the pairs of a row with better ones, that with the best at least.
  void best_within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take);

 private:
  const RowStates& rows_;
  cluster::CosinePairs pairs_;
};

}  // namespace quasar::curation
