#include "curation/balance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "cluster/balanced_sample.h"
#include "cluster/hierarchy.h"
#include "comm/cores.h"
#include "curation/hierarchy_file.h"
#include "curation/row_vectors.h"
#include "store/embedding_shard.h"

namespace quasar::curation {
namespace {

/// Rows that a rank asks for at once.
constexpr std::size_t kLabelsAskedAtOnce = std::size_t{1} << 20U;

std::size_t slot(std::int32_t cluster) {
  return static_cast<std::size_t>(cluster);
}

/// Rows divided by their L2 norms, as scores are made of them.
class UnitRows final : public cluster::RowSource {
 public:
  explicit UnitRows(cluster::RowSource& rows) : rows_(rows) {}

  std::size_t dimension() const override { return rows_.dimension(); }
  std::int64_t size() const override { return rows_.size(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    rows_.read(first, count, values, numbers);
    for (std::size_t at = 0; at < values.size(); at += dimension()) {
      const auto row = values.subspan(at, dimension());
      double square = 0;
      for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
      const double scale = 1 / std::sqrt(square);
      for (float& value : row) value = static_cast<float>(static_cast<double>(value) * scale);
    }
  }

 private:
  cluster::RowSource& rows_;
};

SizeSpread spread_of(std::vector<std::uint64_t> sizes) {
  std::ranges::sort(sizes);
  return {sizes.front(), sizes[(sizes.size() - 1) / 2], sizes.back()};
}

}  // namespace

struct Balance::Impl {
  const store::RunLayout& run;
  const RankInput& input;
  const BalanceRule& rule;
  std::uint64_t memory;
  const comm::Communicator& comm;
  std::vector<std::uint64_t> rows;   ///< Of this rank's part of the order.
  std::vector<std::int32_t> labels;  ///< Level-1 cluster of each.
  std::vector<std::vector<std::int32_t>> parents;
  std::vector<std::uint64_t> before;  ///< By level-1 cluster: better rows on the ranks before.
  std::vector<std::uint64_t> wanted;  ///< By level-1 cluster: how many rows stay.
  // While rows are told.
  std::size_t given = 0;
  std::vector<std::uint64_t> seen;  ///< By level-1 cluster.
  std::vector<std::int32_t> clusters;
  std::uint64_t gone_before = 0;
  BalanceCounts counts;

  /// Place in the input of the shard that has the row.
  std::size_t shard_of(std::uint64_t row) const {
    const auto& firsts = input.shard_first;
    return static_cast<std::size_t>(std::ranges::upper_bound(firsts, row) - firsts.begin()) - 1;
  }
  /// Which rank reads the embedding of a row.
  std::size_t owner(std::uint64_t row) const {
    return balancing_rank(shard_of(row), input.shards.size(), static_cast<std::size_t>(comm.size()));
  }
  /// Hands the ranks that own this rank's rows these, in pieces. `take` gets those of each rank and answers.
  void ask_owners(const std::function<std::vector<std::int32_t>(std::span<const std::uint64_t>)>& answer,
                  const std::function<void(std::size_t, std::int32_t)>& take) const;

  std::vector<std::uint64_t> gather_own() const;
  std::string identity(std::span<const std::uint64_t> own, std::size_t dimension) const;
  cluster::Hierarchy clustered(std::span<const std::uint64_t> own,
                               const std::function<bool()>& stop_requested) const;
  /// Where the rows at these places of their level-1 clusters lie in the order. Collective.
  std::vector<std::uint64_t> positions_of(std::uint64_t first, std::span<const std::uint64_t> places) const;
  void decide(const cluster::Hierarchy& hierarchy);
};

void Balance::Impl::ask_owners(
    const std::function<std::vector<std::int32_t>(std::span<const std::uint64_t>)>& answer,
    const std::function<void(std::size_t, std::int32_t)>& take) const {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::size_t done = 0;
  while (comm.all_reduce(static_cast<std::int64_t>(rows.size() - done), comm::Reduction::kMax) != 0) {
    const auto now = std::span(rows).subspan(done, std::min(kLabelsAskedAtOnce, rows.size() - done));
    std::vector<std::vector<std::uint64_t>> questions(ranks);
    for (const std::uint64_t row : now) questions[owner(row)].push_back(row);
    std::vector<std::vector<std::int32_t>> answers;
    for (const auto& part : comm.exchange(questions)) answers.push_back(answer(part));
    const auto answered = comm.exchange(answers);
    std::vector<std::size_t> next(ranks, 0);
    for (std::size_t i = 0; i < now.size() && take; ++i) {
      const std::size_t rank = owner(now[i]);
      take(done + i, answered[rank][next[rank]++]);
    }
    done += now.size();
    base::note_activity();
  }
}

/// The rows whose embeddings this rank reads, ascending. Collective.
std::vector<std::uint64_t> Balance::Impl::gather_own() const {
  std::vector<std::uint64_t> own;
  ask_owners(
      [&](std::span<const std::uint64_t> part) {
        own.insert(own.end(), part.begin(), part.end());
        return std::vector<std::int32_t>();
      },
      {});
  std::ranges::sort(own);
  return own;
}

/// Of the rows, their shards' content, and all that decides their clusters. Collective.
std::string Balance::Impl::identity(std::span<const std::uint64_t> own, std::size_t dimension) const {
  const auto& config = rule.clusters;
  std::string text = fmt::format("levels {}, iterations {}, seed {}, dimension {}, resampling",
                                 fmt::join(config.levels, " "), config.iterations, config.seed, dimension);
  for (const auto& resampling : config.resampling)
    text += fmt::format(" {} x {}", resampling.steps, resampling.rows);
  // Sums, so that it does not matter who has which.
  std::vector<std::uint64_t> sums(2, 0);
  comm.together([&] {
    std::string content;
    std::size_t opened = SIZE_MAX;
    for (const std::uint64_t row : own) {
      if (const std::size_t shard = shard_of(row); shard != opened) {
        opened = shard;
        const store::EmbeddingShardReader reader(input.embeddings.shard(input.shards[shard]),
                                                 store::Integrity::kRows);
        content = reader.header().content_xxh128;
      }
      const auto named = fmt::format("{} {}", content, row);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += base::xxh64(named, i + 1);
    }
  });
  comm.all_reduce(sums, comm::Reduction::kSum);
  text += fmt::format(", rows {:016x} {:016x}", sums[0], sums[1]);
  return base::xxh128_hex(std::as_bytes(std::span(text)));
}

cluster::Hierarchy Balance::Impl::clustered(std::span<const std::uint64_t> own,
                                            const std::function<bool()>& stop_requested) const {
  std::optional<RowVectors> stored_rows;
  comm.together([&] { stored_rows.emplace(input, std::vector(own.begin(), own.end())); });
  UnitRows embeddings(*stored_rows);
  const std::string key = identity(own, embeddings.dimension());
  if (auto stored = read_hierarchy(run.hierarchy(), key, own.size(), comm)) {
    if (comm.is_root())
      base::log_info("the clusters in {} are those of these rows", run.hierarchy().string());
    return std::move(*stored);
  }
  const auto state = run.hierarchy_state(key);
  const auto remove_states = [&](bool all) {
    comm.on_root([&] {
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(run.clusters(), ignored)) {
        const auto name = entry.path().filename().string();
        const bool other = !name.starts_with(state.filename().string());
        if (entry.path() != run.hierarchy() && (all || other)) std::filesystem::remove(entry.path(), ignored);
      }
    });
  };
  comm.on_root([&] { base::make_directories(run.clusters()); });
  // Of rows or settings that are gone.
  remove_states(false);
  const int threads = comm::cores_of_rank(comm);
  cluster::KMeansRuntime runtime{.checkpoint = state, .threads = threads, .stop_requested = stop_requested};
  comm.together([&] { check_balance_memory(rule, own.size(), embeddings.dimension(), threads, memory); });
  runtime.memory_bytes =
      memory - least_balance_memory(rule, own.size(), embeddings.dimension(), threads).rows;
  auto hierarchy = cluster::cluster_hierarchy(embeddings, rule.clusters, comm, runtime);
  comm.together([&] {
    const auto lost = std::ranges::find(hierarchy.labels, -1);
    if (lost == hierarchy.labels.end()) return;
    base::fail(base::ExitCode::kMismatch,
               fmt::format("row {} of the plan has a score although its embedding is not finite: score the "
                           "run again",
                           own[static_cast<std::size_t>(lost - hierarchy.labels.begin())]));
  });
  write_hierarchy(run.hierarchy(), key, embeddings.dimension(), hierarchy, comm);
  remove_states(true);
  return hierarchy;
}

std::vector<std::uint64_t> Balance::Impl::positions_of(std::uint64_t first,
                                                       std::span<const std::uint64_t> places) const {
  std::vector<std::uint64_t> found(places.size(), cluster::kNoPlace);
  std::vector<std::uint64_t> at = before;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t label = slot(labels[i]);
    if (at[label]++ == places[label]) found[label] = first + i;
  }
  comm.all_reduce(found, comm::Reduction::kMin);
  return found;
}

void Balance::Impl::decide(const cluster::Hierarchy& hierarchy) {
  cluster::ClusterTree tree;
  for (const auto& level : hierarchy.levels) {
    tree.clusters.push_back(level.sizes.size());
    if (!level.parents.empty()) tree.parents.push_back(level.parents);
  }
  const std::size_t k = tree.clusters.front();
  std::vector<std::uint64_t> here(k, 0);
  for (const std::int32_t label : labels) ++here[slot(label)];
  std::vector<std::uint64_t> sizes(k, 0);
  before.assign(k, 0);
  std::uint64_t first = 0;
  for (int rank = 0; rank < comm.size(); ++rank) {
    auto of_rank = here;
    comm.broadcast(of_rank, rank);
    for (std::size_t c = 0; c < k; ++c) {
      sizes[c] += of_rank[c];
      if (rank >= comm.rank()) continue;
      before[c] += of_rank[c];
      first += of_rank[c];
    }
  }
  for (const std::uint64_t size : sizes) {
    counts.rows += size;
    // A hair off, lest 0.3 of 10 be 4.
    const double most = std::ceil(rule.best * static_cast<double>(size) - 1e-9 * static_cast<double>(size));
    tree.sizes.push_back(std::min(size, static_cast<std::uint64_t>(most)));
    counts.eligible += tree.sizes.back();
  }
  counts.target =
      rule.rows    ? *rule.rows
      : rule.share ? static_cast<std::uint64_t>(std::llround(*rule.share * static_cast<double>(counts.rows)))
                   : counts.eligible;
  if (comm.is_root() && counts.target > counts.eligible) {
    base::log_warning("curation.balance.target asks for {}, and there are {}: all of these stay",
                      base::counted(counts.target, "row"), base::with_thousands(counts.eligible));
  }
  wanted = cluster::balanced_counts(tree, counts.target, [&](std::span<const std::uint64_t> places) {
    return positions_of(first, places);
  });
  const auto all = cluster::sizes_by_level(tree, sizes);
  const auto left = cluster::sizes_by_level(tree, wanted);
  for (std::size_t l = 0; l < tree.clusters.size(); ++l)
    counts.levels.push_back({tree.clusters[l], spread_of(all[l]), spread_of(left[l])});
  counts.kept = left.back().front();
  // Of each cluster, what is beyond those wanted on the ranks before.
  for (std::size_t c = 0; c < k; ++c) gone_before += before[c] - std::min(before[c], wanted[c]);
  parents = std::move(tree.parents);
  seen = before;
}

Balance::Balance(const store::RunLayout& run, const RankInput& input, const BalanceRule& rule,
                 std::uint64_t memory, const comm::Communicator& comm)
    : impl_(std::make_unique<Impl>(
          Impl{run, input, rule, memory, comm, {}, {}, {}, {}, {}, 0, {}, {}, 0, {}})) {}

Balance::~Balance() = default;

void Balance::add(std::uint64_t row) {
  impl_->rows.push_back(row);
}

void Balance::solve(const std::function<bool()>& stop_requested) {
  auto& impl = *impl_;
  const auto total = impl.comm.all_reduce(static_cast<std::int64_t>(impl.rows.size()), comm::Reduction::kSum);
  check_clusters(impl.rule, static_cast<std::uint64_t>(total), "which the steps before it leave");
  cluster::Hierarchy hierarchy;
  {
    const auto own = impl.gather_own();
    hierarchy = impl.clustered(own, stop_requested);
    impl.labels.resize(impl.rows.size());
    impl.ask_owners(
        [&](std::span<const std::uint64_t> part) {
          std::vector<std::int32_t> labels;
          for (const std::uint64_t row : part) {
            const auto found = std::ranges::lower_bound(own, row);
            labels.push_back(hierarchy.labels[static_cast<std::size_t>(found - own.begin())]);
          }
          return labels;
        },
        [&](std::size_t i, std::int32_t label) { impl.labels[i] = label; });
    impl.rows = {};
    hierarchy.labels = {};
  }
  impl.decide(hierarchy);
}

Balanced Balance::next() {
  auto& impl = *impl_;
  std::int32_t cluster = impl.labels.at(impl.given++);
  const std::size_t label = slot(cluster);
  impl.clusters.assign(1, cluster);
  for (const auto& parents : impl.parents) impl.clusters.push_back(cluster = parents[slot(cluster)]);
  return {impl.clusters, impl.seen[label]++ < impl.wanted[label]};
}

std::uint64_t Balance::gone_before() const {
  return impl_->gone_before;
}

const BalanceCounts& Balance::counts() const {
  return impl_->counts;
}

}  // namespace quasar::curation
