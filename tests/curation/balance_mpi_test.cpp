// What a balanced sample keeps, on any number of ranks, and what of its clusters lies in the run directory.
#include "curation/balance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/random.h"
#include "base/sanitized.h"
#include "cluster/balanced_sample.h"
#include "comm/cores.h"
#include "curation/memory_status.h"
#include "curation/shared_folder.h"
#include "store/embedding_shard.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kRows = 240;
constexpr std::uint64_t kRowsPerShard = 31;
constexpr std::uint64_t kMemory = std::uint64_t{64} << 20U;

/// A run of shards of embeddings, most of them in one crowd.
RankInput write_run(const std::filesystem::path& run, std::uint64_t seed = 1, std::uint64_t rows = kRows,
                    std::uint64_t rows_per_shard = kRowsPerShard) {
  RankInput input{store::DataSetLayout(run), store::RunLayout(run), {}, {}, {}, {}};
  base::Random random(seed);
  for (std::uint64_t first = 0; first < rows; first += rows_per_shard) {
    const auto shard = static_cast<int>(first / rows_per_shard);
    const std::uint64_t count = std::min(rows_per_shard, rows - first);
    input.shards.push_back(shard);
    input.shard_first.push_back(first);
    store::ShardHeader header;
    header.encoder = {"test", "0", "none", "float32"};
    header.plan_fingerprint = "plan";
    header.shard = shard;
    header.dimension = 5;
    std::vector<store::RowRecord> records(count);
    std::vector<float> embeddings;
    for (std::uint64_t i = 0; i < count; ++i) {
      records[i].id = std::to_string(first + i);
      records[i].status = base::RowStatus::kOk;
      const bool crowd = random.below(10) < 7;
      for (int j = 0; j < 5; ++j)
        embeddings.push_back(static_cast<float>((crowd ? 3.0 : 0.0) + random.normal() * (crowd ? 0.3 : 1)));
    }
    comm::Communicator::world().on_root([&] {
      base::make_directories(input.embeddings.embeddings());
      store::write_embedding_shard(input.embeddings.shard(shard), header, records, embeddings);
    });
  }
  return input;
}

/// The order that rows are ranked in: some of the plan's, shuffled.
std::vector<std::uint64_t> ranking(std::uint64_t left_out = 0, std::uint64_t rows = kRows) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t row = left_out; row < rows; ++row) order.push_back(row);
  base::Random random(9);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  return order;
}

struct Outcome {
  std::map<std::uint64_t, std::pair<std::vector<std::int32_t>, bool>> rows;  ///< Of this rank.
  BalanceCounts counts;
};

Outcome balanced(const store::RunLayout& run, const RankInput& input, const BalanceRule& rule,
                 const std::vector<std::uint64_t>& order, const comm::Communicator& comm,
                 const std::function<bool()>& stop_requested = {}, std::uint64_t memory = kMemory) {
  Balance balance(run, input, rule, memory, comm);
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  const std::size_t begin = order.size() * rank / ranks;
  const std::size_t end = order.size() * (rank + 1) / ranks;
  for (std::size_t i = begin; i < end; ++i) balance.add(order[i]);
  balance.solve(stop_requested);
  Outcome outcome;
  std::vector<std::uint64_t> gone(ranks, 0);
  for (std::size_t i = begin; i < end; ++i) {
    const auto row = balance.next();
    outcome.rows[order[i]] = {{row.clusters.begin(), row.clusters.end()}, row.kept};
    gone[rank] += row.kept ? 0 : 1;
  }
  comm.all_reduce(gone, comm::Reduction::kSum);
  std::uint64_t before = 0;
  for (std::size_t r = 0; r < rank; ++r) before += gone[r];
  EXPECT_EQ(balance.gone_before(), before);
  outcome.counts = balance.counts();
  return outcome;
}

BalanceRule make_rule() {
  BalanceRule rule;
  rule.clusters = {.levels = {24, 6, 2}, .resampling = {{1, 3}, {1, 1}, {0, 1}}, .iterations = 12, .seed = 4};
  rule.rows = 60;
  rule.where = "config.yaml:1: curation.balance.levels";
  return rule;
}

TEST(Balance, KeepsTheBestOfEveryClusterInThePublishedNumbers) {
  const SharedFolder folder;
  const auto self = comm::Communicator::self();
  const auto input = write_run(folder.path() / "run");
  const auto order = ranking();
  auto rule = make_rule();
  const store::RunLayout own(folder.path() / ("own-" + std::to_string(comm::Communicator::world().rank())));
  for (const double best : {1.0, 0.3}) {
    rule.best = best;
    const auto outcome = balanced(own, input, rule, order, self);
    std::vector<std::vector<std::uint64_t>> members(24);  // As places in the order.
    cluster::ClusterTree tree{
        {}, {std::vector<std::int32_t>(24, 0), std::vector<std::int32_t>(6, 0)}, {24, 6, 2}};
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& clusters = outcome.rows.at(order[i]).first;
      ASSERT_EQ(clusters.size(), 3U);
      members[static_cast<std::size_t>(clusters[0])].push_back(i);
      tree.parents[0][static_cast<std::size_t>(clusters[0])] = clusters[1];
      tree.parents[1][static_cast<std::size_t>(clusters[1])] = clusters[2];
    }
    std::uint64_t largest = 0;
    for (const auto& rows : members) {
      largest = std::max<std::uint64_t>(largest, rows.size());
      // Rounded up: of 10 rows 3, of 11 rows 4.
      tree.sizes.push_back(best < 1 ? (rows.size() * 3 + 9) / 10 : rows.size());
    }
    const auto wanted = cluster::balanced_counts(tree, 60, [&](std::span<const std::uint64_t> places) {
      std::vector<std::uint64_t> positions(places.size(), cluster::kNoPlace);
      for (std::size_t c = 0; c < places.size(); ++c) {
        if (places[c] != cluster::kNoPlace) positions[c] = members[c][places[c]];
      }
      return positions;
    });
    for (std::size_t c = 0; c < 24; ++c) {
      for (std::size_t i = 0; i < members[c].size(); ++i)
        EXPECT_EQ(outcome.rows.at(order[members[c][i]]).second, i < wanted[c]) << c << " " << i;
    }
    EXPECT_EQ(outcome.counts.rows, kRows);
    EXPECT_EQ(outcome.counts.kept, 60U);
    EXPECT_EQ(outcome.counts.levels.at(0).before.greatest, largest);
    EXPECT_LE(outcome.counts.levels.at(0).after.greatest, outcome.counts.levels.at(0).before.greatest);
    EXPECT_EQ(outcome.counts.levels.at(2).clusters, 2U);
  }
}

TEST(Balance, IsTheSameOnAnyNumberOfRanksAndGoesOnAfterAStop) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const auto input = write_run(folder.path() / "run");
  const auto rule = make_rule();
  const store::RunLayout own(folder.path() / ("own-" + std::to_string(world.rank())));
  const auto alone = balanced(own, input, rule, ranking(), comm::Communicator::self());
  const store::RunLayout shared(folder.path() / "shared");
  int stops = 0;
  for (int asked = 0;;) {
    try {
      const auto many = balanced(shared, input, rule, ranking(), world, [&] { return ++asked % 9 == 0; });
      for (const auto& [row, fate] : many.rows) EXPECT_EQ(fate, alone.rows.at(row));
      EXPECT_EQ(many.counts.kept, alone.counts.kept);
      break;
    } catch (const base::Error& error) {
      ASSERT_EQ(error.code(), base::ExitCode::kInterrupted) << error.what();
      ASSERT_LT(++stops, 40);
    }
  }
  EXPECT_GT(stops, 0);
  // What was kept for going on is gone.
  const std::filesystem::directory_iterator left(shared.clusters());
  EXPECT_EQ(std::distance(begin(left), end(left)), 1);
}

TEST(Balance, ClustersOfTheSameRowsAreKept) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const store::RunLayout run(folder.path() / "run");
  const auto input = write_run(run.root());
  auto rule = make_rule();
  const auto never = [] { return true; };  // k-means would end at once.
  const auto first = balanced(run, input, rule, ranking(), world);
  const auto stored = base::read_file(run.hierarchy());
  rule.rows = 100;
  EXPECT_EQ(balanced(run, input, rule, ranking(), world, never).counts.kept, 100U);
  rule.rows.reset();
  rule.share = 0.5;
  EXPECT_EQ(balanced(run, input, rule, ranking(), world, never).counts.kept, kRows / 2);
  rule = make_rule();
  EXPECT_EQ(balanced(run, input, rule, ranking(), world, never).rows, first.rows);
  // Other rows and other settings have other clusters.
  EXPECT_THROW(balanced(run, input, rule, ranking(1), world, never), base::Error);
  rule.clusters.seed = 5;
  EXPECT_THROW(balanced(run, input, rule, ranking(), world, never), base::Error);
  rule = make_rule();
  // Damage is noticed, and made good.
  for (const std::size_t at :
       {std::size_t{3}, std::size_t{20}, std::size_t{60}, stored.size() / 2, stored.size() - 1}) {
    world.on_root([&] {
      auto damaged = stored;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      std::ofstream(run.hierarchy(), std::ios::binary) << damaged;
    });
    EXPECT_EQ(balanced(run, input, rule, ranking(), world).rows, first.rows);
    EXPECT_EQ(base::read_file(run.hierarchy()), stored);
    world.barrier();
  }
  world.on_root([&] { std::ofstream(run.hierarchy(), std::ios::binary) << stored.substr(0, 100); });
  EXPECT_EQ(balanced(run, input, rule, ranking(), world).rows, first.rows);
}

TEST(Balance, ATargetBeyondTheRowsKeepsAll) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const store::RunLayout run(folder.path() / "run");
  const auto input = write_run(run.root());
  auto rule = make_rule();
  rule.rows = kRows + 1;
  const auto outcome = balanced(run, input, rule, ranking(), world);
  EXPECT_EQ(outcome.counts.kept, kRows);
  EXPECT_EQ(outcome.counts.target, kRows + 1);
  for (const auto& [row, fate] : outcome.rows) EXPECT_TRUE(fate.second);
}

TEST(Balance, RefusesMoreClustersThanRowsAreLeft) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const store::RunLayout run(folder.path() / "run");
  const auto input = write_run(run.root());
  try {
    balanced(run, input, make_rule(), ranking(kRows - 20), world);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), testing::HasSubstr("24 clusters of 20 rows"));
  }
}

TEST(Balance, RefusesMemoryThatKMeansCannotWorkIn) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const store::RunLayout run(folder.path() / "run");
  const auto input = write_run(run.root());
  try {
    balanced(run, input, make_rule(), ranking(), world, {}, 10000);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), testing::HasSubstr("curation.memory"));
  }
}

#if !defined(QUASAR_SANITIZED)
TEST(Balance, KeepsWithinTheLeastMemoryThatIsNamed) {
  constexpr std::uint64_t kMany = 200'000;
  constexpr std::uint64_t kManyPerShard = 10'000;
  constexpr std::uint64_t kBeside = std::uint64_t{6} << 20U;  // For buffers of files, HDF5 and MPI.
  const SharedFolder folder;
  const auto comm = comm::Communicator::world();
  const auto input = write_run(folder.path() / "run", 3, kMany, kManyPerShard);
  BalanceRule rule;
  rule.clusters = {.levels = {40, 4}, .resampling = {{1, 5}}, .iterations = 2, .seed = 4};
  rule.rows = 5000;
  const auto order = ranking(0, kMany);
  const std::uint64_t shards = input.shards.size();
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const std::uint64_t share = (shards + ranks - 1) / ranks * kManyPerShard;
  const auto least = least_balance_memory(rule, share, 5, comm::cores_of_rank(comm)).total();
  // What comes with the first use of libraries is not counted.
  balanced(store::RunLayout(folder.path() / "first"), write_run(folder.path() / "small"), make_rule(),
           ranking(), comm);
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";  // The peak begins again.
  const std::uint64_t before = memory_status("VmRSS");
  {
    const store::RunLayout run(folder.path() / "run");
    Balance balance(run, input, rule, least, comm);
    const auto rank = static_cast<std::size_t>(comm.rank());
    for (std::size_t i = kMany * rank / ranks; i < kMany * (rank + 1) / ranks; ++i) balance.add(order[i]);
    balance.solve({});
    EXPECT_EQ(balance.counts().kept, 5000U);
  }
  EXPECT_LT(memory_status("VmHWM") - before, least + kBeside);
}
#endif

}  // namespace
}  // namespace quasar::curation
