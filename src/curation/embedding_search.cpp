#include "curation/embedding_search.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace quasar::curation {
namespace {

using cluster::NearPair;

/// Embeddings of rows, under the numbers of the rows.
class NumberedVectors final : public cluster::RowSource {
 public:
  NumberedVectors(std::unique_ptr<cluster::RowSource> vectors, std::vector<std::uint64_t> rows)
      : vectors_(std::move(vectors)), rows_(std::move(rows)) {}
  std::size_t dimension() const override { return vectors_->dimension(); }
  std::int64_t size() const override { return vectors_->size(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    vectors_->read(first, count, values, {});
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<std::int64_t>(rows_[static_cast<std::size_t>(first) + i]);
  }

 private:
  std::unique_ptr<cluster::RowSource> vectors_;
  std::vector<std::uint64_t> rows_;
};

struct NumberedRow {
  std::uint64_t vector = 0;
  std::uint64_t row = 0;
};

/// Sends rows to ranks by the places of their embeddings, so that each rank reads a stretch; what comes here,
/// in the order of the embeddings. Collective.
std::vector<NumberedRow> spread_by_vector(const RowStates& rows, const std::vector<std::uint64_t>& vectors) {
  const auto& comm = rows.comm();
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  std::uint64_t end = 0;
  for (const auto vector : vectors) {
    if (vector != kNoVector) end = std::max(end, vector + 1);
  }
  end = static_cast<std::uint64_t>(comm.all_reduce(static_cast<std::int64_t>(end), comm::Reduction::kMax));
  std::vector<std::vector<NumberedRow>> parts(ranks);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (vectors[i] == kNoVector) continue;
    const std::uint64_t rank = vectors[i] / ((end + ranks - 1) / ranks);
    parts[rank].push_back({vectors[i], rows.number(i)});
  }
  std::vector<NumberedRow> mine;
  for (const auto& part : comm.exchange(parts)) mine.insert(mine.end(), part.begin(), part.end());
  std::ranges::sort(mine, {}, &NumberedRow::vector);
  return mine;
}

/// Collective.
cluster::CosinePairs open_pairs(const RowStates& rows, std::vector<std::uint64_t> vectors,
                                const VectorsOf& vectors_of, const cluster::CosineSettings& settings,
                                const std::function<bool()>& stop_requested) {
  auto mine = spread_by_vector(rows, vectors);
  // They take room that reading needs.
  vectors = {};
  std::optional<NumberedVectors> source;
  rows.comm().together([&] {
    std::vector<std::uint64_t> wanted;
    std::vector<std::uint64_t> numbers;
    for (const auto& row : mine) {
      wanted.push_back(row.vector);
      numbers.push_back(row.row);
    }
    mine = {};
    source.emplace(vectors_of(std::move(wanted)), std::move(numbers));
  });
  return {*source, settings, rows.comm(), stop_requested};
}

}  // namespace

EmbeddingSearch::EmbeddingSearch(const RowStates& rows, std::vector<std::uint64_t> vectors,
                                 const VectorsOf& vectors_of, const cluster::CosineSettings& settings,
                                 const std::function<bool()>& stop_requested)
    : rows_(rows), pairs_(open_pairs(rows, std::move(vectors), vectors_of, settings, stop_requested)) {}

void EmbeddingSearch::within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) {
  const auto set = rows_.chosen_of_all(chosen);
  const auto is_in = [&](std::uint64_t number) { return set.contains(number); };
  pairs_.find({.probe = is_in, .home = is_in}, team, take);
}

void EmbeddingSearch::best_within(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) {
  const auto set = rows_.chosen_of_all(chosen);
  const auto is_in = [&](std::uint64_t number) { return set.contains(number); };
  pairs_.find({.probe = is_in, .home = is_in, .best_only = true}, team, take);
}

void EmbeddingSearch::across(const Chosen& chosen, std::uint64_t boundary, cluster::ThreadTeam& team,
                             const TakePairs& take) {
  // One set for both sides.
  const auto set = rows_.chosen_of_all(chosen);
  pairs_.find({.probe = [&](std::uint64_t number) { return number < boundary && set.contains(number); },
               .home = [&](std::uint64_t number) { return number >= boundary && set.contains(number); },
               .best_only = true},
              team, take);
}

void EmbeddingSearch::with_outside(const Chosen& chosen, cluster::ThreadTeam& team, const TakePairs& take) {
  const auto set = rows_.chosen_of_all(chosen);
  // Rows of other sets have the lower numbers, so that it is them that are found as probes.
  std::vector<NearPair> turned;
  pairs_.find({.probe = [&](std::uint64_t number) { return number < rows_.owners().outside(); },
               .home = [&](std::uint64_t number) { return set.contains(number); }},
              team, [&](std::span<const NearPair> pairs) {
                turned.clear();
                for (const auto& pair : pairs) turned.push_back({pair.home, pair.probe, pair.distance});
                take(turned);
              });
}

}  // namespace quasar::curation
