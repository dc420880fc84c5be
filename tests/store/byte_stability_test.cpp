// What is stored depends on its content alone: not on the time, nor on what the memory held before.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "store/anchor_file.h"
#include "store/embedding_shard.h"
#include "store/score_shard.h"
#include "store/virtual_dataset.h"
#include "support/test_data.h"

namespace quasar::store {
namespace {

namespace fs = std::filesystem;

constexpr int kDimension = 512;
/// Of which the file's chunks hold a part each, the last one less than the others.
constexpr std::size_t kRows = 1100;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const base::EncoderIdentity& identity() {
  static const base::EncoderIdentity identity{"mini", std::string(64, 'a'), "side 64", "float32"};
  return identity;
}

void write_embeddings(const fs::path& path, bool half) {
  std::vector<RowRecord> rows(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    rows[i].id = "picture-" + std::to_string(i) + ".jpg";
    rows[i].source = std::string(i % 300, 's');
    rows[i].fields = R"({"caption":"schön"})";
    if (i % 7 == 0) rows[i].status = base::RowStatus::kDecodeFailed;
  }
  std::vector<float> embeddings(kRows * kDimension);
  for (std::size_t i = 0; i < embeddings.size(); ++i) embeddings[i] = static_cast<float>(i % 1000) * 0.25F;
  ShardHeader header;
  header.encoder = identity();
  header.plan_fingerprint = "plan";
  header.items_sha256 = "items";
  header.dimension = kDimension;
  header.half = half;
  write_embedding_shard(path, header, rows, embeddings);
}

/// One of each kind of file.
std::map<std::string, std::string> write_all(const fs::path& folder) {
  fs::create_directories(folder / "embeddings");
  write_embeddings(folder / "embeddings" / "whole.h5", false);
  write_embeddings(folder / "half.h5", true);
  write_virtual_dataset(folder / "virtual.h5", {folder / "embeddings" / "whole.h5"});
  ScoreShard scores;
  scores.embeddings_xxh128 = "content";
  scores.names = {"quality", "aesthetics"};
  scores.anchor_fingerprints = {"one", "two"};
  scores.scores.assign(kRows * 2, 0.5F);
  write_score_shard(folder / "scores.h5", scores);
  AnchorSet set;
  set.name = "quality";
  set.dimension = kDimension;
  set.good.assign(std::size_t{3} * kDimension, 1.0F);
  set.bad.assign(std::size_t{3} * kDimension, -1.0F);
  set.encoder = identity();
  set.recipe = "aggregation: multi";
  set.counts = {{"rows", 7}};
  set.statistics = {{"label_median", 2.5}};
  write_anchor_file(folder / "anchors.h5", set);
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().filename().string()] = content(entry.path());
  }
  return files;
}

/// Fills memory that the allocator will hand out again.
void dirty_the_heap(unsigned char value) {
  std::vector<void*> blocks;
  for (std::size_t size = 64; size <= (std::size_t{4} << 20U); size *= 2) {
    for (int i = 0; i < 8; ++i) {
      blocks.push_back(std::malloc(size));
      std::memset(blocks.back(), value, size);
    }
  }
  for (void* block : blocks) std::free(block);
}

TEST(ByteStability, EqualContentGivesEqualFilesLater) {
  const test::ScratchFolder scratch;
  dirty_the_heap(0xAA);
  const auto first = write_all(scratch / "first");
  // HDF5 keeps times in seconds.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  dirty_the_heap(0x55);
  const auto second = write_all(scratch / "second");
  ASSERT_EQ(first.size(), 5U);
  ASSERT_EQ(second.size(), first.size());
  for (const auto& [name, bytes] : first) EXPECT_TRUE(second.at(name) == bytes) << name << " differs";
}

}  // namespace
}  // namespace quasar::store
