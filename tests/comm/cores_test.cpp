#include "comm/cores.h"

#include <gtest/gtest.h>

#include <numeric>

namespace quasar::comm {
namespace {

RankPlace on(const std::string& machine, int first, int count) {
  RankPlace place{machine, std::vector<int>(static_cast<std::size_t>(count))};
  std::iota(place.cores.begin(), place.cores.end(), first);
  return place;
}

std::vector<int> shares(const std::vector<RankPlace>& ranks, int cpus_per_task = 0) {
  std::vector<int> result;
  for (std::size_t r = 0; r < ranks.size(); ++r) result.push_back(fair_cores(ranks, r, cpus_per_task));
  return result;
}

using Shares = std::vector<int>;

TEST(FairCores, ARankAloneHasAllThatItIsAllowed) {
  EXPECT_EQ(shares({on("a", 0, 64)}), Shares({64}));
  EXPECT_EQ(shares({on("a", 5, 1)}), Shares({1}));
}

TEST(FairCores, RanksOnOneSetOfCoresDivideIt) {
  // Four ranks that mpirun binds to nothing, in a job's cpuset of 8 of the machine's cores.
  EXPECT_EQ(shares(std::vector(4, on("a", 16, 8))), Shares({2, 2, 2, 2}));
  EXPECT_EQ(shares(std::vector(3, on("a", 0, 7))), Shares({2, 2, 2}));
  EXPECT_EQ(shares(std::vector(3, on("a", 0, 9))), Shares({3, 3, 3}));
  EXPECT_EQ(shares(std::vector(3, on("a", 0, 2))), Shares({1, 1, 1}));
}

TEST(FairCores, RanksBoundToCoresOfTheirOwnHaveThemWhole) {
  EXPECT_EQ(shares({on("a", 0, 4), on("a", 4, 4), on("a", 8, 2)}), Shares({4, 4, 2}));
  EXPECT_EQ(shares({on("a", 0, 4), on("a", 2, 4)}), Shares({3, 3})) << "two of theirs, half of two";
}

TEST(FairCores, RanksOfOtherMachinesTakeNothing) {
  EXPECT_EQ(shares({on("a", 0, 8), on("b", 0, 8), on("b", 0, 8)}), Shares({8, 4, 4}));
}

TEST(FairCores, SlurmsShareIsTheMost) {
  // Nothing confines the ranks, and the job has but a part of the machine.
  EXPECT_EQ(shares({on("a", 0, 64), on("a", 0, 64)}, 4), Shares({4, 4}));
  EXPECT_EQ(shares({on("a", 0, 64), on("a", 0, 64)}, 100), Shares({32, 32}));
  EXPECT_EQ(shares({on("a", 0, 2)}, 0), Shares({2}));
}

TEST(FairCores, AreOneWhereNothingIsKnown) {
  EXPECT_EQ(shares({RankPlace{"a", {}}}), Shares({1}));
  EXPECT_EQ(shares({RankPlace{"a", {}}}, 8), Shares({1}));
}

}  // namespace
}  // namespace quasar::comm
