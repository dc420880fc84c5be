#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "corpus/plan.h"
#include "support/test_data.h"
#include "tar_builder.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class SourcesTest : public testing::Test {
 protected:
  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((scratch_ / name).parent_path());
    base::write_file_atomically(scratch_ / name, text);
  }
  SourceConfig source(SourceKind kind, const fs::path& name) const {
    SourceConfig config;
    config.kind = kind;
    if (kind == SourceKind::kTar) {
      config.patterns = {(scratch_ / name).string()};
    } else {
      config.path = scratch_ / name;
    }
    return config;
  }
  static Plan plan_of(const SourceConfig& config) {
    CorpusConfig corpus;
    corpus.sources = {config};
    return Plan::make(corpus);
  }
  static std::vector<Item> items_of(const SourceConfig& config) {
    const auto plan = plan_of(config);
    std::vector<Item> items;
    for (const auto& shard : plan.shards()) {
      for (auto& item : plan.read_items(shard)) items.push_back(std::move(item));
    }
    return items;
  }
  static std::vector<std::string> ids_of(const SourceConfig& config) {
    std::vector<std::string> ids;
    for (const auto& item : items_of(config)) ids.push_back(item.id);
    return ids;
  }
  static std::string error_of(const SourceConfig& config) {
    try {
      plan_of(config);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      return error.what();
    }
    return "no error";
  }
  std::string table_error(const std::string& name, const std::string& text,
                          const std::string& label = "") const {
    write(name, text);
    auto config = source(SourceKind::kTable, name);
    config.label_column = label;
    return error_of(config);
  }

  test::ScratchFolder scratch_;
};

TEST_F(SourcesTest, AFolderLeavesOutAndCountsWhatIsNoImage) {
  for (const auto* name : {"d/a.jpg", "d/b.PNG", "d/notes.txt", "d/README", "d/.hidden.jpg", "d/.git/x.jpg",
                           "d/sub/c.webp", "d/sub/.DS_Store"}) {
    write(name, "x");
  }
  ASSERT_EQ(::mkfifo((scratch_ / "d/pipe.jpg").c_str(), 0600), 0);
  fs::create_directories(scratch_ / "d/folder.jpg/deep");
  fs::create_directory_symlink(scratch_ / "d", scratch_ / "d/sub/loop");
  fs::create_directory_symlink("..", scratch_ / "d/sub/loop.jpg");
  fs::create_symlink("self.jpg", scratch_ / "d/self.jpg");
  fs::create_symlink("nowhere.jpg", scratch_ / "d/dangling.jpg");
  fs::create_symlink("a.jpg", scratch_ / "d/linked.jpg");
  const auto config = source(SourceKind::kDirectory, "d");
  EXPECT_THAT(ids_of(config), ElementsAre("a.jpg", "b.PNG", "linked.jpg", "sub/c.webp"));
  EXPECT_THAT(plan_of(config).left_out(),
              UnorderedElementsAre(Pair("files without an image suffix", 2), Pair("hidden files", 2),
                                   Pair("hidden folders", 1), Pair("pipes, sockets and devices", 1),
                                   Pair("links to folders", 2), Pair("links to nothing", 2)));
}

TEST_F(SourcesTest, NamesThatAreNotUtf8Survive) {
  write("d/caf\xE9.jpg", "one");
  write("d/caf\xC3\xA9.jpg", "two");
  const auto items = items_of(source(SourceKind::kDirectory, "d"));
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].id, "caf\xC3\xA9.jpg");
  EXPECT_EQ(items[1].id, "caf%E9.jpg");
  EXPECT_THAT(items[1].source, HasSubstr("percent:"));
}

TEST_F(SourcesTest, AVeryDeepTreeEnds) {
  fs::path deep = scratch_ / "d";
  for (int i = 0; i < 300; ++i) deep /= "f";
  fs::create_directories(deep);
  EXPECT_THAT(plan_of(source(SourceKind::kDirectory, "d")).left_out(),
              ElementsAre(Pair("folders nested too deeply", 1)));
}

TEST_F(SourcesTest, AListGivesItsLinesAsIds) {
  write("l/list.txt",
        "\xEF\xBB\xBF"
        "b.jpg\r\n\n/abs/a.jpg\nsub/../c d.jpg");
  const auto items = items_of(source(SourceKind::kList, "l/list.txt"));
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].id, "b.jpg");
  EXPECT_EQ(items[0].source, (scratch_ / "l/b.jpg").string());
  EXPECT_EQ(items[1].source, "/abs/a.jpg");
  EXPECT_EQ(items[2].id, "sub/../c d.jpg");
  EXPECT_EQ(items[2].source, (scratch_ / "l/c d.jpg").string());
  write("bad.txt", std::string("a.jpg\nb\0.jpg\n", 13));
  EXPECT_THAT(error_of(source(SourceKind::kList, "bad.txt")), HasSubstr("bad.txt:2: a NUL"));
  write("twice.txt", "a.jpg\nb.jpg\na.jpg\n");
  EXPECT_THAT(error_of(source(SourceKind::kList, "twice.txt")), HasSubstr("\"a.jpg\" occurs twice"));
}

TEST_F(SourcesTest, TablesOfEveryKindGiveTheSameItems) {
  write("t.csv", "image,mos,ref,url,key\na.jpg,1.5,r.jpg,\"http://x/,%20\",k1\nb.jpg,,,,k2\n");
  write("t.tsv", "image\tmos\tref\turl\tkey\na.jpg\t1.5\tr.jpg\thttp://x/,%20\tk1\nb.jpg\t\t\t\tk2\n");
  write("t.jsonl",
        "{\"image\": \"a.jpg\", \"mos\": 1.5, \"ref\": \"r.jpg\", \"url\": \"http://x/,%20\", \"key\": "
        "\"k1\"}\n\n"
        "{\"image\": \"b.jpg\", \"mos\": null, \"ref\": null, \"url\": \"\", \"key\": \"k2\"}\n");
  for (const auto* name : {"t.csv", "t.tsv", "t.jsonl"}) {
    auto config = source(SourceKind::kTable, name);
    config.path_column = "image";
    config.id_column = "key";
    config.label_column = "mos";
    config.group_column = "ref";
    config.fields = {"url"};
    config.root = "/images";
    const auto items = items_of(config);
    ASSERT_EQ(items.size(), 2U) << name;
    EXPECT_EQ(items[0].id, "k1");
    EXPECT_EQ(items[0].source, "/images/a.jpg");
    EXPECT_EQ(items[0].label, 1.5);
    EXPECT_EQ(items[0].reference, "r.jpg");
    EXPECT_THAT(items[0].fields, ElementsAre(Pair("url", "http://x/,%20")));
    EXPECT_EQ(items[1].label, std::nullopt);
    EXPECT_EQ(items[1].reference, "");
  }
}

TEST_F(SourcesTest, TableErrorsNameFileAndLine) {
  EXPECT_THAT(table_error("t.csv", "path,mos\na.jpg,1\nb.jpg,good\n", "mos"),
              HasSubstr("t.csv:3: the label \"good\""));
  EXPECT_THAT(table_error("t.csv", "path,mos\na.jpg,nan\n", "mos"), HasSubstr("t.csv:2: the label"));
  EXPECT_THAT(table_error("t.csv", "path,mos\n,1\n"), HasSubstr("t.csv:2: the path is empty"));
  EXPECT_THAT(table_error("t.csv", "pat,mos\nx,1\n"), HasSubstr("did you mean \"pat\""));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\"}\n{\"path\": \n"),
              HasSubstr("t.jsonl:2: not well-formed"));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\"}\n[1]\n"), HasSubstr("t.jsonl:2: every line"));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": 5}\n"),
              HasSubstr("t.jsonl:1: the value of \"path\" is no text"));
  EXPECT_THAT(table_error("t.jsonl", "{\"paths\": \"a\"}\n"), HasSubstr("did you mean \"paths\""));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\", \"mos\": \"1e999\"}\n", "mos"),
              HasSubstr("t.jsonl:1: the label"));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\\u0000b\"}\n"), HasSubstr("t.jsonl:1: a NUL"));
  EXPECT_THAT(table_error("t.jsonl", std::string(100'000, '[') + "\n"),
              HasSubstr("t.jsonl:1: not well-formed"));
  EXPECT_THAT(table_error("t.parquet", "PAR1"), HasSubstr(".csv, .tsv, .jsonl"));
}

TEST_F(SourcesTest, ATableTextThatIsNotUtf8IsEscaped) {
  write("t.csv", "path,c\ncaf\xE9.jpg,\xFF\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.fields = {"c"};
  const auto item = items_of(config).at(0);
  EXPECT_EQ(item.id, "caf%E9.jpg");
  EXPECT_THAT(item.fields, ElementsAre(Pair("c", "%FF")));
}

TEST_F(SourcesTest, TarMembersAreMatchedByKey) {
  TarBuilder tar;
  tar.add("d/0.jpg", "J0")
      .add("d/0.json", R"({"url":"http://a","similarity":0.25,"n":null})")
      .add("d/0.txt", "a cat\n");
  // Key order in the archive does not matter; "1.left.jpg" belongs to the key "d/1".
  tar.add("d/1.txt", "a dog").add("d/1.left.jpg", "J1").add("d/1.right.jpg", "J2").add("d/1.cls", "3\n");
  tar.add("d/2.json", "{}")
      .add("d/._0.jpg", "mac")
      .add("d/3.npy", "n")
      .add("d/4.png", "P")
      .add("d/4.json", "{broken");
  write("s.tar", tar.finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"url", "caption", "similarity", "n"};
  config.label_column = "cls";
  const auto items = items_of(config);
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[0].id, "s.tar/d/0.jpg");
  EXPECT_EQ(items[0].member, "d/0.jpg");
  EXPECT_EQ(items[0].source, (scratch_ / "s.tar").string());
  EXPECT_EQ(items[0].offset, 512U);
  EXPECT_EQ(items[0].size, 2U);
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("url", "http://a"), Pair("caption", "a cat"),
                                           Pair("similarity", "0.25"), Pair("n", "")));
  EXPECT_EQ(items[0].label, std::nullopt);
  EXPECT_EQ(items[1].id, "s.tar/d/1.left.jpg");
  EXPECT_EQ(items[2].fields[1].second, "a dog");
  EXPECT_EQ(items[2].label, 3.0);
  EXPECT_EQ(items[3].fields[0].second, "");
  EXPECT_THAT(plan_of(config).left_out(),
              UnorderedElementsAre(Pair("samples without an image", 1), Pair("hidden files", 1),
                                   Pair("files without an image suffix", 1),
                                   Pair("unreadable descriptions (.json, .txt, .cls)", 1)));
}

TEST_F(SourcesTest, TarMembersWithOneNameBecomeTwoRows) {
  write("s.tar", TarBuilder().add("a.jpg", "1").add("a.jpg", "2").add("../../x.jpg", "3").finish());
  EXPECT_THAT(ids_of(source(SourceKind::kTar, "s.tar")),
              ElementsAre("s.tar/a.jpg", "s.tar/a.jpg@1536", "s.tar/../../x.jpg"));
}

TEST_F(SourcesTest, ADamagedTarDoesNotStopThePlan) {
  std::string bad = TarBuilder().add("a.jpg", "1").add("b.jpg", "2").add("c.jpg", "3").finish();
  bad[1024] ^= 1;
  write("t/0.tar", bad);
  write("t/1.tar", std::string(3000, 'x'));
  write("t/2.tar", "");
  write("t/3.tar", TarBuilder().add("d.jpg", "4").finish());
  const auto config = source(SourceKind::kTar, "t/*.tar");
  EXPECT_THAT(ids_of(config), ElementsAre("0.tar/a.jpg", "0.tar/c.jpg", "3.tar/d.jpg"));
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("damaged places in tars", 2)));
}

TEST_F(SourcesTest, ACompressedTarSaysHowToUnpackIt) {
  write("s.tgz", "\x1F\x8B\x08 and so on");
  EXPECT_THAT(error_of(source(SourceKind::kTar, "s.tgz")), HasSubstr("gunzip -k"));
  const auto real = test::shared_data() / "data/tar/webdataset/sample.tgz";
  QUASAR_REQUIRE_DATA(real);
  SourceConfig config;
  config.kind = SourceKind::kTar;
  config.patterns = {real.string()};
  EXPECT_THAT(error_of(config), HasSubstr("compressed (gzip)"));
}

TEST_F(SourcesTest, ManyTarsKeepTheirOrder) {
  for (int i = 100; i < 300; ++i) {
    write("t/" + std::to_string(i) + ".tar",
          TarBuilder().add("a.jpg", std::string(static_cast<std::size_t>(i), 'x')).finish());
  }
  const auto items = items_of(source(SourceKind::kTar, "t/{100..299}.tar"));
  ASSERT_EQ(items.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(items[i].size, 100 + i);
}

TEST_F(SourcesTest, ListsTheRealPhotos) {
  const auto photos = test::shared_data() / "data/photos";
  QUASAR_REQUIRE_DATA(photos);
  SourceConfig config;
  config.path = photos;
  EXPECT_EQ(plan_of(config).item_count(), 609U);
  EXPECT_THAT(plan_of(config).left_out().count("links to folders"), 0U);
}

}  // namespace
}  // namespace quasar::corpus
