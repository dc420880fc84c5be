#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "corpus/plan.h"
#include "corpus/shard_reader.h"
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
  EXPECT_THAT(ids_of(source(SourceKind::kList, "twice.txt")), ElementsAre("a.jpg", "b.jpg"));
  EXPECT_THAT(plan_of(source(SourceKind::kList, "twice.txt")).left_out(),
              ElementsAre(Pair("lines that name an image again", 1)));
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
  EXPECT_THAT(table_error("t.csv", "path,mos\n,1\n"), HasSubstr("t.csv:2: the path is empty"));
  EXPECT_THAT(table_error("t.csv", "pat,mos\nx,1\n"), HasSubstr("did you mean \"pat\""));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\"}\n{\"path\": \n"),
              HasSubstr("t.jsonl:2: not well-formed"));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\"}\n[1]\n"), HasSubstr("t.jsonl:2: every line"));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": 5}\n"),
              HasSubstr("t.jsonl:1: the value of \"path\" is no text"));
  EXPECT_THAT(table_error("t.jsonl", "{\"paths\": \"a\"}\n"), HasSubstr("did you mean \"paths\""));
  EXPECT_THAT(table_error("t.jsonl", "{\"path\": \"a\\u0000b\"}\n"), HasSubstr("t.jsonl:1: a NUL"));
  EXPECT_THAT(table_error("t.jsonl", std::string(100'000, '[') + "\n"),
              HasSubstr("t.jsonl:1: not well-formed"));
  EXPECT_THAT(table_error("t.table", "path\n"), HasSubstr(".csv, .tsv, .jsonl, .parquet"));
}

TEST_F(SourcesTest, ALabelThatIsNoNumberCostsTheRowItsLabel) {
  write("t.csv", "path,mos,sd\na.jpg,1,\nb.jpg,good,inf\nc.jpg,nan,0.5\nd.jpg,,\n");
  write("t.jsonl",
        "{\"path\": \"a.jpg\", \"mos\": 1, \"sd\": null}\n"
        "{\"path\": \"b.jpg\", \"mos\": true, \"sd\": \"1e999\"}\n"
        "{\"path\": \"c.jpg\", \"mos\": [1], \"sd\": 0.5}\n"
        "{\"path\": \"d.jpg\", \"mos\": \"\", \"sd\": \"\"}\n");
  for (const auto* name : {"t.csv", "t.jsonl"}) {
    auto config = source(SourceKind::kTable, name);
    config.label_column = "mos";
    config.deviation_column = "sd";
    const auto items = items_of(config);
    ASSERT_EQ(items.size(), 4U) << name;
    EXPECT_EQ(items[0].label, 1.0);
    for (int i = 1; i < 4; ++i)
      EXPECT_EQ(items[static_cast<std::size_t>(i)].label, std::nullopt) << name << i;
    EXPECT_EQ(items[1].deviation, std::nullopt);
    EXPECT_EQ(items[2].deviation, 0.5);
    EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("deviations that are no finite number", 1),
                                                        Pair("labels that are no finite number", 2)));
  }
}

TEST_F(SourcesTest, ASignBeforeANumberIsPartOfIt) {
  write("t.csv", "path,mos\na.jpg,+2.5\nb.jpg,-1\nc.jpg,+-1\nd.jpg,+\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.label_column = "mos";
  const auto items = items_of(config);
  EXPECT_EQ(items.at(0).label, 2.5);
  EXPECT_EQ(items.at(1).label, -1.0);
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("labels that are no finite number", 2)));
}

TEST_F(SourcesTest, AKeyThatSomeJsonRowsLackIsAValueThatTheyLack) {
  write("t.jsonl",
        "{\"path\": \"a.jpg\", \"caption\": \"x\"}\n{\"path\": \"b.jpg\", \"mos\": 2}\n"
        "{\"path\": \"c.jpg\"}\n");
  auto config = source(SourceKind::kTable, "t.jsonl");
  config.fields = {"caption"};
  config.label_column = "mos";
  const auto items = items_of(config);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("caption", "x")));
  EXPECT_EQ(items[0].label, std::nullopt);
  EXPECT_THAT(items[1].fields, ElementsAre(Pair("caption", "")));
  EXPECT_EQ(items[1].label, 2.0);
  EXPECT_THAT(plan_of(config).noted(), ElementsAre(Pair("keys that rows of a JSON table lack", 4)));
  config.fields = {"captoin"};
  EXPECT_THAT(error_of(config),
              HasSubstr("t.jsonl: no row has the key \"captoin\"; did you mean \"caption\"?"));
}

TEST_F(SourcesTest, AddressesOfTheWebAreNotedAsNoPaths) {
  write("t.csv", "url\nhttps://example.org/a.jpg\ns3://bucket/b.jpg\nfolder/c.jpg\nC://d.jpg\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.path_column = "url";
  const auto noted = plan_of(config).noted();
  EXPECT_THAT(noted, ElementsAre(Pair(HasSubstr("addresses of the web"), 2)));
  write("list.txt", "https://example.org/a.jpg\nb.jpg\n");
  EXPECT_THAT(plan_of(source(SourceKind::kList, "list.txt")).noted(),
              ElementsAre(Pair(HasSubstr("addresses of the web"), 1)));
}

TEST_F(SourcesTest, FilesThatAreNoTablesAreNamedForWhatTheyAre) {
  const std::string lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  EXPECT_THAT(table_error("t.csv", lfs), HasSubstr("t.csv is no table or list: it is a Git LFS pointer"));
  EXPECT_THAT(table_error("t.parquet", lfs), HasSubstr("it is a Git LFS pointer"));
  EXPECT_THAT(table_error("t.jsonl", "<!DOCTYPE html><html>"), HasSubstr("it is an HTML page"));
  EXPECT_THAT(table_error("t.csv", "PAR1 and so on PAR1"), HasSubstr("a Parquet file, whose name must end"));
  EXPECT_THAT(table_error("t.csv", "PK\x03\x04 a spreadsheet"), HasSubstr("it begins as a zip"));
  EXPECT_THAT(table_error("t.csv", "\x1F\x8B and so on"), HasSubstr("it is compressed (gzip)"));
  EXPECT_THAT(table_error("t.tsv", std::string("\xFF\xFEp\0a\0", 6)), HasSubstr("UTF-16: save it as UTF-8"));
  write("list.txt", lfs);
  EXPECT_THAT(error_of(source(SourceKind::kList, "list.txt")), HasSubstr("it is a Git LFS pointer"));
}

TEST_F(SourcesTest, WhatPythonWritesIntoJsonCostsThatValueAlone) {
  write("t.jsonl",
        "{\"path\": \"a.jpg\", \"s\": NaN, \"c\": \"NaN\"}\n"
        "{\"path\": \"b.jpg\", \"s\": -Infinity, \"c\": \"half \\ud83d\"}\n"
        "{\"path\": \"c.jpg\", \"s\": 0.5, \"c\": \"whole \\ud83d\\ude00\"}\n");
  auto config = source(SourceKind::kTable, "t.jsonl");
  config.fields = {"c", "s"};
  const auto items = items_of(config);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("c", "NaN"), Pair("s", "")));
  EXPECT_THAT(items[1].fields, ElementsAre(Pair("c", "half \xEF\xBF\xBD"), Pair("s", "")));
  EXPECT_THAT(items[2].fields, ElementsAre(Pair("c", "whole \xF0\x9F\x98\x80"), Pair("s", "0.5")));
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("characters of JSON texts that are half a character (lone surrogates)", 1),
                          Pair("values that are no numbers (NaN, Infinity)", 2)));
}

TEST_F(SourcesTest, ATablesSeparatorIsRecognisedOrGiven) {
  write("tabs.csv", "path\ttitle\na.jpg\ta dog, \"running\"\n");
  write("semicolons.csv", "\"path\";title\na.jpg;\"a dog; \"\"running\"\"\"\n");
  write("commas.tsv", "title,path\ndog,a.jpg\n");
  for (const auto& [name, title] :
       {std::pair("tabs.csv", "a dog, \"running\""), std::pair("semicolons.csv", "a dog; \"running\""),
        std::pair("commas.tsv", "dog")}) {
    auto config = source(SourceKind::kTable, name);
    config.fields = {"title"};
    const auto items = items_of(config);
    ASSERT_EQ(items.size(), 1U) << name;
    EXPECT_THAT(items[0].fields, ElementsAre(Pair("title", title)));
  }
  write("bars.txt", "path|title\na.jpg|dog\n");
  auto config = source(SourceKind::kTable, "bars.txt");
  config.separator = '|';
  EXPECT_THAT(ids_of(config), ElementsAre("a.jpg"));
}

TEST_F(SourcesTest, RowsThatNameAnImageAgainAreOneImageOrAsManyAsAsked) {
  // Of a.jpg, rows that are not neighbours; of b.jpg, values that repeat.
  write("t.csv",
        "path,c,n,mos\na.jpg,one,1,\nb.jpg,x,2,5\nb.jpg,x,2,6\nsolo.jpg,s,3,7\na.jpg,two,1,4\na.jpg,,1,4\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.fields = {"c", "n"};
  config.label_column = "mos";
  auto items = items_of(config);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].id, "b.jpg");
  EXPECT_EQ(items[0].label, 5.0);
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("c", "x"), Pair("n", "2")));
  EXPECT_EQ(items[1].id, "solo.jpg");
  EXPECT_EQ(items[2].id, "a.jpg");
  EXPECT_EQ(items[2].label, 4.0);
  EXPECT_THAT(items[2].fields, ElementsAre(Pair("c", "one\ntwo"), Pair("n", "1")));
  EXPECT_THAT(plan_of(config).noted(),
              ElementsAre(Pair("rows joined with another row of their image (repeated: join)", 3)));
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("labels and deviations that differ from the first of their image", 1)));
  config.repeated = Repeated::kFirst;
  items = items_of(config);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].id, "a.jpg");
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("c", "one"), Pair("n", "1")));
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("rows that name an image again (repeated: first)", 3)));
  config.repeated = Repeated::kRows;
  EXPECT_THAT(ids_of(config), ElementsAre("a.jpg", "b.jpg", "b.jpg@2", "solo.jpg", "a.jpg@2", "a.jpg@3"));
  EXPECT_EQ(plan_of(config).noted().begin()->second, 3U);
}

TEST_F(SourcesTest, RowsOfTheirOwnTakeNoIdThatAnotherRowHas) {
  write("t.csv", "path,c\na.jpg,1\na.jpg,2\na.jpg@2,x\na.jpg,3\na.jpg@2,y\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.repeated = Repeated::kRows;
  EXPECT_THAT(ids_of(config), ElementsAre("a.jpg", "a.jpg@3", "a.jpg@2", "a.jpg@4", "a.jpg@2@2"));
}

TEST_F(SourcesTest, AnIdForTwoImagesIsRefusedInEveryMode) {
  write("t.csv", "path,id\na.jpg,k\nb.jpg,k\n");
  auto config = source(SourceKind::kTable, "t.csv");
  config.id_column = "id";
  for (const auto mode : {Repeated::kJoin, Repeated::kFirst}) {
    config.repeated = mode;
    EXPECT_THAT(error_of(config), HasSubstr("\"k\" occurs twice"));
  }
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

TEST_F(SourcesTest, AKeyEndsAtTheFirstDotAndExtensionsAreWhatFollows) {
  TarBuilder tar;
  tar.add("22.05.jpg", "A").add("22.05.json", R"({"caption":"first"})");
  tar.add("22.10.jpg", "B").add("22.10.json", R"({"caption":"second"})");
  tar.add("s.v1/s0.input.jpg", "C")
      .add("s.v1/s0.info.JSON", R"({"url":"u"})")
      .add("s.v1/s0.outputs.TXT", "third");
  tar.add("s2.jpg", "D").add("s2.caption", "fourth\n");
  // What is named like another image of its sample is never this one's.
  tar.add("7.left.jpg", "E").add("7.right.jpg", "F").add("7.right.json", R"({"caption":"of the right"})");
  tar.add("8.jpg", "G").add("8.a.txt", "?").add("8.b.txt", "?");
  write("s.tar", tar.finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"caption", "url"};
  const auto items = items_of(config);
  std::vector<std::string> captions;
  for (const auto& item : items) captions.push_back(item.fields[0].second);
  EXPECT_THAT(captions, ElementsAre("first", "second", "third", "fourth", "", "of the right", ""));
  EXPECT_EQ(items[2].fields[1].second, "u");
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("descriptions that could be of several images", 1)));
}

TEST_F(SourcesTest, ATarsKeysSayWhichImageAndWhichCaptionToTake) {
  TarBuilder tar;
  for (const std::string key : {"0", "1"}) {
    tar.add(key + ".input.jpg", "I").add(key + ".output.PNG", "O").add(key + ".raw", "R");
    tar.add(key + ".json", R"({"caption":"of the json"})")
        .add(key + ".long.txt", "long")
        .add(key + ".txt", "short");
  }
  write("s.tar", tar.finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"caption"};
  EXPECT_EQ(items_of(config).size(), 4U);
  EXPECT_EQ(items_of(config)[0].fields[0].second, "of the json");
  config.caption_extensions = {"long.txt"};
  EXPECT_EQ(items_of(config)[0].fields[0].second, "long");
  config.caption_extensions = {"txt"};
  EXPECT_EQ(items_of(config)[0].fields[0].second, "short");
  config.image_extensions = {"output.png", "raw"};
  EXPECT_THAT(ids_of(config),
              ElementsAre("s.tar/0.output.PNG", "s.tar/0.raw", "s.tar/1.output.PNG", "s.tar/1.raw"));
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("images with other extensions", 2)));
}

TEST_F(SourcesTest, AKeyThatComesBackIsAnotherSample) {
  const auto sample = [](TarBuilder& tar, const std::string& key, const std::string& caption) {
    tar.add(key + ".jpg", "J").add(key + ".json", R"({"caption":")" + caption + "\"}");
  };
  TarBuilder tar;
  sample(tar, "0", "old 0");
  sample(tar, "1", "old 1");
  tar.add("0.json", R"({"caption":"new 0"})").add("0.jpg", "J").add("1.jpg", "no description");
  write("appended.tar", tar.finish());
  TarBuilder first;
  sample(first, "0", "old 0");
  first.add("1.jpg", "J");
  TarBuilder second;
  second.add("1.json", R"({"caption":"of no image"})");
  sample(second, "0", "new 0");
  write("joined.tar", first.finish() + second.finish());
  TarBuilder apart;
  apart.add("0.left.jpg", "J").add("1.left.jpg", "J").add("0.right.jpg", "J").add("1.right.jpg", "J");
  apart.add("0.json", R"({"caption":"zero"})").add("1.json", R"({"caption":"one"})");
  write("apart.tar", apart.finish());
  const auto captions = [&](const char* name) {
    auto config = source(SourceKind::kTar, name);
    config.fields = {"caption"};
    std::vector<std::string> texts;
    for (const auto& item : items_of(config)) texts.push_back(item.fields[0].second);
    const auto plan = plan_of(config);
    for (const auto& [reason, count] : plan.noted()) texts.push_back(std::to_string(count) + " " + reason);
    return texts;
  };
  const std::string noted = " keys that come back in a tar, as samples of their own";
  EXPECT_THAT(captions("appended.tar"), ElementsAre("old 0", "old 1", "new 0", "", "2" + noted));
  EXPECT_THAT(captions("joined.tar"), ElementsAre("old 0", "", "new 0", "2" + noted));
  EXPECT_THAT(captions("apart.tar"), ElementsAre("zero", "one", "zero", "one"));
}

TEST_F(SourcesTest, LinksInATarAreTheirTargetsBytes) {
  TarBuilder tar;
  tar.add("cat/0.jpg", "CAT").add("cat/0.json", R"({"caption":"a cat"})");
  tar.link("pet/0.jpg", "cat/0.jpg", '1').link("pet/0.json", "../cat/0.json", '2');
  tar.link("pet/1.jpg", "0.jpg", '2').link("pet/1.jpg", "../later", '2');
  tar.link("out/a.jpg", "../../etc/passwd", '2').link("out/b.jpg", "/etc/passwd", '2');
  tar.link("out/c.jpg", "c.jpg", '2').link("out/d.jpg", "late.jpg", '1');
  tar.add("late.jpg", "LATE").add("later", "LATER");
  write("s.tar", tar.finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"caption"};
  const auto items = items_of(config);
  EXPECT_THAT(ids_of(config), ElementsAre("s.tar/cat/0.jpg", "s.tar/pet/0.jpg", "s.tar/pet/1.jpg",
                                          "s.tar/pet/1.jpg@4096", "s.tar/late.jpg"));
  ShardReader reader(items, 1U << 20U);
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::vector<std::byte> bytes;
    EXPECT_EQ(reader.read(i, bytes).status, base::RowStatus::kOk);
    contents.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  EXPECT_THAT(contents, ElementsAre("CAT", "CAT", "CAT", "LATER", "LATE"));
  EXPECT_EQ(items[1].fields[0].second, "a cat");
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("files without an image suffix", 1),
                                                      Pair("links in tars to what is not in them", 4)));
}

TEST_F(SourcesTest, FilesThatAreNoTarsAreNamedForWhatTheyAre) {
  write("t/0.tar", "");
  write("t/1.tar", std::string(100'000, '\0'));
  write("t/2.tar", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
  write("t/3.tar", "\n <!DOCTYPE html><html>404</html>");
  write("t/4.tar", "PAR1" + std::string(2000, 'x') + "PAR1");
  write("t/5.tar", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>");
  write("t/6.tar", "\xFF\xD8\xFF\xE0" + std::string(1000, 'j'));
  write("t/7.tar", TarBuilder().add("folder/", "", '5').finish());
  write("t/8.tar", TarBuilder().add("ok.jpg", "J").finish());
  const auto config = source(SourceKind::kTar, "t/*.tar");
  EXPECT_THAT(ids_of(config), ElementsAre("8.tar/ok.jpg"));
  EXPECT_THAT(plan_of(config).left_out(),
              UnorderedElementsAre(Pair("tars of 0 bytes", 1), Pair("tars that hold nothing (only zeros)", 1),
                                   Pair("files that are no tars: Git LFS pointers", 1),
                                   Pair("files that are no tars: HTML pages", 1),
                                   Pair("files that are no tars: Parquet files", 1),
                                   Pair("files that are no tars: XML or JSON texts", 1),
                                   Pair("files that are no tars: of another format", 1),
                                   Pair("tars without an image", 1)));
}

TEST_F(SourcesTest, AFieldThatNoImageOfTheTarsHasIsWarnedOf) {
  write("s.tar", TarBuilder().add("0.jpg", "J").add("0.json", R"({"caption": "a dog"})").finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"caption", "captoin"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(items_of(config).size(), 1U);
  const auto warned = testing::internal::GetCapturedStderr();
  EXPECT_THAT(warned, HasSubstr("no image of the tars has a value for the field \"captoin\""));
  EXPECT_THAT(warned, testing::Not(HasSubstr("field \"caption\"")));
}

TEST_F(SourcesTest, JsonInATarAsPythonWritesItCostsThatValueAlone) {
  write("s.tar", TarBuilder()
                     .add("0.jpg", "J")
                     .add("0.json", R"({"caption": "a dog", "similarity": NaN, "score": 7.5})")
                     .add("1.jpg", "J")
                     .add("1.json", R"({"caption": "half \udc00", "similarity": 1e999, "score": Infinity})")
                     .finish());
  auto config = source(SourceKind::kTar, "s.tar");
  config.fields = {"caption", "similarity"};
  config.label_column = "score";
  const auto items = items_of(config);
  EXPECT_THAT(items[0].fields, ElementsAre(Pair("caption", "a dog"), Pair("similarity", "")));
  EXPECT_EQ(items[0].label, 7.5);
  EXPECT_THAT(items[1].fields, ElementsAre(Pair("caption", "half \xEF\xBF\xBD"), Pair("similarity", "")));
  EXPECT_EQ(items[1].label, std::nullopt);
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("characters of JSON texts that are half a character (lone surrogates)", 1),
                          Pair("values that are no numbers (NaN, Infinity)", 3)));
}

TEST_F(SourcesTest, LinksToFoldersAreFollowedOnceWhereAskedFor) {
  write("real/cls1/a.jpg", "1");
  write("real/cls2/b.jpg", "2");
  fs::create_directories(scratch_ / "d/own");
  write("d/own/c.jpg", "3");
  fs::create_directory_symlink("../real/cls1", scratch_ / "d/cls1");
  fs::create_directory_symlink("../real/cls2", scratch_ / "d/cls2.jpg");
  fs::create_directory_symlink("../real/cls1", scratch_ / "d/again");
  fs::create_directory_symlink(".", scratch_ / "d/loop");
  fs::create_directory_symlink("../../d", scratch_ / "real/cls2/up");
  auto config = source(SourceKind::kDirectory, "d");
  EXPECT_THAT(ids_of(config), ElementsAre("own/c.jpg"));
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("links to folders", 4)));
  config.follow_links = true;
  EXPECT_THAT(ids_of(config), ElementsAre("again/a.jpg", "cls2.jpg/b.jpg", "own/c.jpg"));
  EXPECT_THAT(plan_of(config).left_out(), ElementsAre(Pair("folders met a second time, through links", 3)));
}

TEST_F(SourcesTest, AFolderSaysThatItHoldsTars) {
  write("d/0.tar", "x");
  write("d/sub/1.tar.gz", "x");
  write("d/a.jpg", "x");
  testing::internal::CaptureStderr();
  const auto plan = plan_of(source(SourceKind::kDirectory, "d"));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(plan.left_out(), ElementsAre(Pair("tars, which are a source of their own", 2)));
  EXPECT_THAT(log, HasSubstr("holds 2 tars, such as 0.tar"));
  EXPECT_THAT(log, HasSubstr("{tar: \"" + (scratch_ / "d").string() + "/*.tar\"}"));
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
  EXPECT_THAT(plan_of(config).left_out(),
              ElementsAre(Pair("damaged places in tars", 1), Pair("files that are no tars: unknown", 1),
                          Pair("tars of 0 bytes", 1)));
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
