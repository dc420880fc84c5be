#include "curation/joint_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "curation/shared_folder.h"

namespace quasar::curation {
namespace {

/// `size` bytes that tell their place and their rank.
std::string part_of(int rank, std::size_t size) {
  std::string text;
  while (text.size() < size)
    text += "rank " + std::to_string(rank) + " byte " + std::to_string(text.size()) + "\n";
  text.resize(size);
  return text;
}

std::string write_file(const std::filesystem::path& folder, const std::vector<std::size_t>& sizes) {
  const auto world = comm::Communicator::world();
  std::string expected;
  for (int rank = 0; rank < world.size(); ++rank)
    expected += part_of(rank, sizes[static_cast<std::size_t>(rank) % sizes.size()]);
  const auto path = folder / "joint.txt";
  world.on_root([&] { std::filesystem::remove(path); });
  {
    JointFile file(path, folder, world);
    const auto mine = part_of(world.rank(), sizes[static_cast<std::size_t>(world.rank()) % sizes.size()]);
    // In pieces that end anywhere.
    for (std::size_t at = 0; at < mine.size(); at += 77'777)
      file.write(std::string_view(mine).substr(at, 77'777));
    world.barrier();
    EXPECT_FALSE(std::filesystem::exists(path)) << "before it is whole";
    const auto sum = file.commit();
    EXPECT_EQ(sum.bytes, expected.size());
    EXPECT_EQ(sum.xxh128, base::xxh128_hex(std::as_bytes(std::span(expected))));
  }
  world.barrier();
  return base::read_file(path) == expected ? "as expected" : "other bytes";
}

TEST(JointFile, HasThePartsOfAllRanksInOrderWhateverTheirSizes) {
  const SharedFolder folder;
  constexpr std::size_t kPage = 65536;
  const std::vector<std::vector<std::size_t>> cases = {{0},
                                                       {1},
                                                       {10, 0, 20},
                                                       {kPage},
                                                       {kPage - 1, 2},
                                                       {5, 3 * kPage, 1},
                                                       {kPage / 2},
                                                       {3'000'000, 1'234'567, 0, 2'000'001}};
  for (const auto& sizes : cases) {
    EXPECT_EQ(write_file(folder.path(), sizes), "as expected") << testing::PrintToString(sizes);
  }
}

TEST(JointFile, LeavesNothingWithoutItsCommit) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  {
    JointFile file(folder.path() / "joint.txt", folder.path(), world);
    file.write(part_of(world.rank(), 3'000'000));
  }
  world.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(JointFile, AFaultOfOneRankIsEveryRanks) {
  const SharedFolder folder;
  const auto world = comm::Communicator::world();
  const int last = world.size() - 1;
  // The last rank's folder of parts, root's file, is not there.
  const auto missing = folder.path() / "missing";
  try {
    const JointFile file(world.is_root() && last == 0 ? missing / "joint.txt" : folder.path() / "joint.txt",
                         world.rank() == last ? missing : folder.path(), world);
    ADD_FAILURE() << "opened";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kOutput);
    EXPECT_THAT(error.what(), testing::HasSubstr("missing"));
  }
  world.barrier();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace quasar::curation
