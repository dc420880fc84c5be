// Files damaged on disk: whatever bit is wrong, reading says so and names the file. HDF5 crashes on some.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/errors.h"
#include "store/anchor_file.h"
#include "store/embedding_shard.h"
#include "store/inspect.h"
#include "store/score_shard.h"
#include "store/seal.h"
#include "store/virtual_dataset.h"
#include "support/test_data.h"

namespace quasar::store {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kDimension = 4;

class Damage : public testing::Test {
 protected:
  Damage() {
    std::vector<RowRecord> rows(3);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].id = "picture-" + std::to_string(i) + ".jpg";
    ShardHeader header;
    header.encoder = {"mini", std::string(64, 'a'), "side 64", "float32"};
    header.items_sha256 = "items";
    header.dimension = kDimension;
    write_embedding_shard(whole("shard"), header, rows, std::vector<float>(rows.size() * kDimension, 0.5F));
    write_score_shard(whole("scores"), {0, "content", {"quality"}, {0.1F, 0.2F, 0.3F}, {"fingerprint"}});
    AnchorSet set;
    set.name = "quality";
    set.dimension = kDimension;
    set.good.assign(kDimension, 1.0F);
    set.bad.assign(kDimension, -1.0F);
    set.encoder = header.encoder;
    write_anchor_file(whole("anchors"), set);
    write_virtual_dataset(whole("virtual"), {whole("shard")});
  }

  fs::path whole(const std::string& name) { return folder_ / (name + ".h5"); }

  std::string bytes_of(const std::string& name) {
    std::ifstream file(whole(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// What reading a file of these bytes says; "" when it is read. Each has a name of its own.
  std::string error_of(const std::string& name, const std::string& bytes) {
    const auto path = folder_ / "damaged" / (std::to_string(count_++) + ".h5");
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      if (name == "shard") EmbeddingShardReader(path).read_rows(0, 1);
      if (name == "scores") read_score_shard(path);
      if (name == "anchors") read_anchor_file(path);
      inspect(path);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      return error.what();
    }
    fs::remove(path);
    return "";
  }

  /// The damaged sizes of texts after which HDF5 1.10 reads beyond its memory.
  static std::vector<std::size_t> sizes_of_texts(const std::string& bytes) {
    std::vector<std::size_t> places;
    for (auto heap = bytes.find("GCOL"); heap != std::string::npos; heap = bytes.find("GCOL", heap + 1)) {
      constexpr std::size_t kSizeOfFirst = 16 + 8;
      places.push_back(heap + kSizeOfFirst + 3);
    }
    return places;
  }

  const test::ScratchFolder folder_;
  int count_ = 0;
};

TEST_F(Damage, AJoinedFileIsThatOfSoManyRowsWhenItIsWhole) {
  EXPECT_TRUE(is_virtual_dataset_of(whole("virtual"), 3));
  EXPECT_FALSE(is_virtual_dataset_of(whole("virtual"), 4));
  EXPECT_FALSE(is_virtual_dataset_of(whole("shard"), 3));
  EXPECT_FALSE(is_virtual_dataset_of(whole("missing"), 3));
  auto bytes = bytes_of("virtual");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(whole("virtual"), std::ios::binary) << bytes;
  EXPECT_FALSE(is_virtual_dataset_of(whole("virtual"), 3));
}

TEST_F(Damage, EveryWrongByteIsSeen) {
  for (const std::string name : {"shard", "scores", "anchors", "virtual"}) {
    const auto sound = bytes_of(name);
    EXPECT_EQ(error_of(name, sound), "");
    ASSERT_GT(sound.size(), kSealBytes);
    for (std::size_t at = kSealBytes; at < sound.size(); at += 7) {
      auto damaged = sound;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      ASSERT_THAT(error_of(name, damaged), HasSubstr("is damaged")) << name << " at " << at;
    }
    EXPECT_THAT(error_of(name, sound.substr(0, sound.size() - 1)), HasSubstr("is damaged"));
    EXPECT_THAT(error_of(name, sound + "x"), HasSubstr("is damaged"));
    EXPECT_NE(error_of(name, sound.substr(0, 20)), "");
    EXPECT_NE(error_of(name, ""), "");
  }
}

TEST_F(Damage, AFileWithoutASealIsReadUnlessItCrashesHdf5) {
  for (const std::string name : {"shard", "scores", "anchors"}) {
    auto unsealed = bytes_of(name);
    std::fill_n(unsealed.begin(), kSealBytes, ' ');
    EXPECT_EQ(error_of(name, unsealed), "");
    const auto places = sizes_of_texts(unsealed);
    ASSERT_FALSE(places.empty());
    for (const auto at : places) {
      auto hostile = unsealed;
      hostile[at] = static_cast<char>(hostile[at] ^ 1);
      EXPECT_NE(error_of(name, hostile), "") << name << " at " << at;
    }
  }
}

TEST_F(Damage, AShardIsWholeByItsOwnBytesOnly) {
  EXPECT_TRUE(verify_shard(whole("shard")));
  EXPECT_TRUE(is_whole_shard(whole("shard"), "items", 3));
  auto bytes = bytes_of("shard");
  // A text that no checksum of the content covers.
  const auto version = bytes.find("side 64");
  ASSERT_NE(version, std::string::npos);
  bytes[version] = 'S';
  std::ofstream(whole("changed"), std::ios::binary) << bytes;
  EXPECT_FALSE(verify_shard(whole("changed")));
  EXPECT_FALSE(is_whole_shard(whole("changed"), "items", 3));
}

TEST_F(Damage, RowsAreTrustedWithoutTheVectors) {
  constexpr int kWide = 512;
  constexpr std::size_t kMany = 2048;  // Whole chunks of about a megabyte.
  ShardHeader header;
  header.encoder = {"mini", std::string(64, 'a'), "side 64", "float32"};
  header.items_sha256 = "items";
  header.dimension = kWide;
  std::vector<RowRecord> rows(kMany);
  for (std::size_t i = 0; i < kMany; ++i) rows[i].id = "picture-" + std::to_string(i) + ".jpg";
  std::vector<float> vectors(kMany * kWide);
  for (std::size_t i = 0; i < vectors.size(); ++i) vectors[i] = static_cast<float>(i % 997);
  for (const bool half : {false, true}) {
    header.half = half;
    write_embedding_shard(whole("wide"), header, rows, vectors);
    const auto sound = bytes_of("wide");
    const std::size_t vector_bytes = vectors.size() * (half ? 2 : 4);
    std::size_t in_vectors = 0;
    std::size_t elsewhere = 0;
    const auto look = [&](std::size_t at) {
      auto damaged = sound;
      damaged[at] = static_cast<char>(damaged[at] ^ 4);
      const auto path = folder_ / ("look-" + std::to_string(count_++) + ".h5");
      std::ofstream(path, std::ios::binary) << damaged;
      bool readable = true;
      try {
        const EmbeddingShardReader reader(path, Integrity::kRows);
        EXPECT_EQ(reader.read_rows(kMany - 1, 1).front().id, rows.back().id);
        EXPECT_EQ(reader.read_statuses().size(), kMany);
      } catch (const base::Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("is damaged"));
        readable = false;
      }
      ++(readable ? in_vectors : elsewhere);
      EXPECT_THROW(EmbeddingShardReader{path}, base::Error) << at;
      EXPECT_FALSE(verify_shard(path)) << at;
      fs::remove(path);
    };
    for (std::size_t at = kSealBytes; at < sound.size(); at += 4999) look(at);
    // As many of the places as the vectors take of the file, and all others are seen.
    const double share = static_cast<double>(in_vectors) / static_cast<double>(in_vectors + elsewhere);
    EXPECT_NEAR(share, static_cast<double>(vector_bytes) / static_cast<double>(sound.size()), 0.02);
    EXPECT_GT(elsewhere, 10U);
    in_vectors = 0;
    // Every byte of what the seal says of the rows.
    const auto line = sound.find("Without the bytes");
    ASSERT_LT(line, kSealBytes);
    for (std::size_t at = line + 18; sound[at] != '\n'; ++at) look(at);
    EXPECT_EQ(in_vectors, 0U);
  }
}

TEST_F(Damage, AReaderOfRowsRefusesToReadVectors) {
  const EmbeddingShardReader reader(whole("shard"), Integrity::kRows);
  std::vector<float> vectors(kDimension);
  EXPECT_THROW(reader.read_embeddings(0, 1, vectors), base::Error);
}

TEST_F(Damage, ScoresAreTakenAgainOnlyAsTheyWereSealed) {
  const auto matches = [&](const std::string& name) {
    return score_shard_matches(whole(name), "content", 0, {"quality"}, {"fingerprint"});
  };
  EXPECT_TRUE(matches("scores"));
  auto bytes = bytes_of("scores");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(whole("changed"), std::ios::binary) << bytes;
  EXPECT_FALSE(matches("changed"));
  bytes = bytes_of("scores");
  std::fill_n(bytes.begin(), kSealBytes, ' ');
  std::ofstream(whole("unsealed"), std::ios::binary) << bytes;
  EXPECT_FALSE(matches("unsealed"));
}

TEST_F(Damage, WhatCannotBeOpenedIsNamedWithTheReason) {
  const auto reason = [](const fs::path& path) -> std::string {
    try {
      inspect(path);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(reason(folder_ / "none.h5"), "there is no file " + (folder_ / "none.h5").string());
  EXPECT_THAT(reason(folder_.path()), AllOf(HasSubstr(folder_.path().string()), HasSubstr("Is a directory")));
  std::ofstream(folder_ / "text.h5") << std::string(1000, 'x');
  EXPECT_THAT(reason(folder_ / "text.h5"), HasSubstr("text.h5 is no HDF5 file"));
}

TEST_F(Damage, AFileThatMayNotBeReadIsNeitherMissingNorDamaged) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  fs::permissions(folder_.path(), fs::perms(0755));
  for (const char* name : {"shard", "scores", "anchors"}) fs::permissions(whole(name), fs::perms(0600));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(12345) != 0 || ::setuid(12345) != 0) ::_exit(2);
    const auto denied = [](const auto& read) {
      try {
        read();
        ADD_FAILURE() << "read";
      } catch (const base::Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("Permission denied"), HasSubstr("belongs to root")));
      }
    };
    denied([&] { is_whole_shard(whole("shard"), "items", 3); });
    denied([&] { verify_shard(whole("shard")); });
    denied([&] { EmbeddingShardReader(whole("shard"), Integrity::kUnchecked); });
    denied([&] { score_shard_matches(whole("scores"), "content", 0, {"quality"}, {"fingerprint"}); });
    denied([&] { read_anchor_file(whole("anchors")); });
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Damage, AMissingFileIsSaidToBeMissing) {
  try {
    EmbeddingShardReader(folder_ / "none.h5", Integrity::kUnchecked);
    FAIL() << "read";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is no file " + (folder_ / "none.h5").string()));
  }
}

}  // namespace
}  // namespace quasar::store
