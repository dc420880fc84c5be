#include "corpus/shard_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/atomic_file.h"
#include "corpus/plan.h"
#include "support/test_data.h"
#include "tar_builder.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using base::RowStatus;
using testing::HasSubstr;

constexpr std::uint64_t kLimit = 1000;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ShardReaderTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    base::write_file_atomically(scratch_ / name, text);
    return (scratch_ / name).string();
  }
  static ReadOutcome read(const Item& item, std::string* text = nullptr) {
    const ShardReader reader({item}, kLimit);
    std::vector<std::byte> bytes(3);
    auto outcome = reader.read(0, bytes);
    if (text != nullptr) *text = text_of(bytes);
    EXPECT_EQ(outcome.status == RowStatus::kOk, outcome.error.empty());
    EXPECT_EQ(outcome.status == RowStatus::kOk, !bytes.empty());
    return outcome;
  }
  static ReadOutcome read_path(const std::string& path) {
    Item item;
    item.source = path;
    return read(item);
  }
  static Item member(const std::string& tar, std::uint64_t offset, std::uint64_t size) {
    Item item;
    item.source = tar;
    item.member = "m.jpg";
    item.offset = offset;
    item.size = size;
    return item;
  }
  test::ScratchFolder scratch_;
};

TEST_F(ShardReaderTest, EveryFileHasItsStatus) {
  Item item;
  item.source = file("a.jpg", "content");
  std::string text;
  EXPECT_EQ(read(item, &text).status, RowStatus::kOk);
  EXPECT_EQ(text, "content");
  EXPECT_EQ(read_path((scratch_ / "nowhere.jpg").string()).status, RowStatus::kMissing);
  EXPECT_EQ(read_path(item.source + "/below").status, RowStatus::kMissing);
  EXPECT_EQ(read_path(file("empty.jpg", "")).status, RowStatus::kEmpty);
  EXPECT_EQ(read_path(file("most.jpg", std::string(kLimit, 'x'))).status, RowStatus::kOk);
  EXPECT_EQ(read_path(file("more.jpg", std::string(kLimit + 1, 'x'))).status, RowStatus::kTooManyBytes);
  EXPECT_EQ(read_path(scratch_.path().string()).status, RowStatus::kUnreadable);
  EXPECT_EQ(read_path("/dev/zero").status, RowStatus::kUnreadable);
  fs::create_symlink("loop.jpg", scratch_ / "loop.jpg");
  EXPECT_EQ(read_path((scratch_ / "loop.jpg").string()).status, RowStatus::kUnreadable);
  EXPECT_EQ(read_path("/" + std::string(5000, 'x')).status, RowStatus::kUnreadable);
}

TEST_F(ShardReaderTest, APipeIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((scratch_ / "pipe.jpg").c_str(), 0600), 0);
  const auto outcome = read_path((scratch_ / "pipe.jpg").string());
  EXPECT_EQ(outcome.status, RowStatus::kUnreadable);
  EXPECT_THAT(outcome.error, HasSubstr("pipe"));
}

TEST_F(ShardReaderTest, AFileWithoutPermissionIsUnreadable) {
  const auto path = file("secret.jpg", "x");
  fs::permissions(path, fs::perms::none);
  fs::permissions(scratch_.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  // Root may read everything, so it reads as nobody.
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const auto outcome = read_path(path);
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_EQ(outcome.status, RowStatus::kUnreadable);
  EXPECT_THAT(outcome.error, HasSubstr("ermission"));
}

TEST_F(ShardReaderTest, NamesThatAreNotUtf8AreRead) {
  fs::create_directory(scratch_ / "d");
  file("d/caf\xE9 100%.jpg", "inside");
  CorpusConfig config;
  config.sources.emplace_back();
  config.sources[0].path = scratch_ / "d";
  const auto plan = Plan::make(config);
  const ShardReader reader(plan.read_items(plan.shards().at(0)), kLimit);
  std::vector<std::byte> bytes;
  EXPECT_EQ(reader.read(0, bytes).status, RowStatus::kOk);
  EXPECT_EQ(text_of(bytes), "inside");
}

TEST_F(ShardReaderTest, EveryMemberHasItsStatus) {
  const auto tar = file("t.tar", TarBuilder().add("m.jpg", "content").add("e.jpg", "").text());
  std::string text;
  EXPECT_EQ(read(member(tar, 512, 7), &text).status, RowStatus::kOk);
  EXPECT_EQ(text, "content");
  EXPECT_EQ(read(member(tar, 1536, 0)).status, RowStatus::kEmpty);
  EXPECT_EQ(read(member(tar, 512, kLimit + 1)).status, RowStatus::kTooManyBytes);
  EXPECT_EQ(read(member(tar, 1536, 100)).status, RowStatus::kArchiveCorrupt) << "ends early";
  EXPECT_EQ(read(member(tar, ~0ULL - 5, 100)).status, RowStatus::kArchiveCorrupt);
  EXPECT_EQ(read(member(tar, 100, 7)).status, RowStatus::kArchiveCorrupt);
  EXPECT_EQ(read(member(tar, 512, 6)).status, RowStatus::kArchiveCorrupt) << "another size than the header's";
  EXPECT_EQ(read(member(tar, 1000, 7)).status, RowStatus::kArchiveCorrupt) << "no header before it";
  EXPECT_EQ(read(member((scratch_ / "gone.tar").string(), 512, 7)).status, RowStatus::kMissing);
}

TEST_F(ShardReaderTest, ATruncatedTarLosesOnlyWhatCannotBeRead) {
  TarBuilder tar;
  for (int i = 0; i < 4; ++i)
    tar.add(std::to_string(i) + ".jpg", std::string(700, static_cast<char>('a' + i)));
  CorpusConfig config;
  config.sources.emplace_back();
  config.sources[0].kind = SourceKind::kTar;
  config.sources[0].patterns = {file("t.tar", tar.text().substr(0, 3 * 1536 + 512 + 300))};
  const auto plan = Plan::make(config);
  ASSERT_EQ(plan.item_count(), 4U) << "the row of the member that is cut off is kept";
  const ShardReader reader(plan.read_items(plan.shards().at(0)), kLimit);
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reader.read(i, bytes).status, RowStatus::kOk);
    EXPECT_EQ(text_of(bytes), std::string(700, static_cast<char>('a' + i)));
  }
  EXPECT_EQ(reader.read(3, bytes).status, RowStatus::kArchiveCorrupt);
}

TEST_F(ShardReaderTest, ManyThreadsReadManyTars) {
  std::vector<Item> items;
  for (int i = 0; i < 60; ++i) {
    const auto tar =
        file(std::to_string(i) + ".tar", TarBuilder().add("m.jpg", std::to_string(1000 + i)).finish());
    for (int k = 0; k < 5; ++k) items.push_back(member(tar, 512, 4));
  }
  const ShardReader reader(items, kLimit);
  std::atomic<std::size_t> next{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<std::byte> bytes;
      for (std::size_t i = next++; i < 3000; i = next++) {
        const std::size_t index = i * 7 % items.size();
        const bool ok = reader.read(index, bytes).status == RowStatus::kOk;
        if (!ok || text_of(bytes) != std::to_string(1000 + index / 5)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ShardReaderTest, ReadsTheRealTars) {
  const auto tars = test::shared_data() / "data/tar";
  QUASAR_REQUIRE_DATA(tars);
  CorpusConfig config;
  config.sources.emplace_back();
  config.sources[0].kind = SourceKind::kTar;
  config.sources[0].patterns = {(tars / "clip-retrieval/image{1..4}.tar").string(),
                                (tars / "nemo-curator/*.tar").string()};
  const auto plan = Plan::make(config);
  ASSERT_EQ(plan.item_count(), 12U);
  std::vector<std::byte> bytes;
  for (const auto& shard : plan.shards()) {
    const ShardReader reader(plan.read_items(shard), 1U << 20U);
    for (std::size_t i = 0; i < reader.size(); ++i) {
      ASSERT_EQ(reader.read(i, bytes).status, RowStatus::kOk);
      EXPECT_EQ(bytes.size(), reader.item(i).size);
      EXPECT_EQ(text_of(bytes).substr(0, 2), "\xFF\xD8") << reader.item(i).id;
    }
  }
}

}  // namespace
}  // namespace quasar::corpus
