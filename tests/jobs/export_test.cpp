// What a ranked run keeps, as training programs load it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <thread>
#include <utility>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "corpus/tar_builder.h"
#include "duckdb/database.h"
#include "program.h"
#include "store/embedding_shard.h"
#include "store/half.h"
#include "store/npy.h"
#include "support/duckdb_library.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using quasar::corpus::TarBuilder;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string shell(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string output;
  std::array<char, 4096> block{};
  for (std::size_t got = 0; pipe && (got = std::fread(block.data(), 1, block.size(), pipe.get())) > 0;)
    output.append(block.data(), got);
  return output;
}

/// All files below a folder by their names there, but for the state that an export keeps.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = fs::relative(entry.path(), folder).string();
    if (entry.is_regular_file() && !name.starts_with(".quasar/")) files[name] = content(entry.path());
  }
  return files;
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFFU);
  return bytes;
}

/// The PNG with EXIF that describes it: a chunk behind its header, which takes 33 bytes.
std::string described(std::string png, const std::string& text) {
  auto chunk = std::string("eXIfMM\0*\0\0\0\x08\0\x01\x01\x0E\0\x02", 18);
  chunk += big_endian(static_cast<std::uint32_t>(text.size())) + big_endian(26) + std::string(4, '\0') + text;
  std::uint32_t sum = 0xFFFFFFFF;
  for (const char c : chunk) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1U ^ ((sum & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return png.insert(33, big_endian(static_cast<std::uint32_t>(chunk.size()) - 4) + chunk + big_endian(~sum));
}

class ExportTest : public testing::Test {
 protected:
  /// 24 pictures: half in folders with a caption and half of these with a .json, half in two tars with .txt,
  /// .json and a mask each.
  void SetUp() override {
    ASSERT_EQ(render_scenes(scratch_ / "scenes", {"--count", "24", "--width", "96", "--height", "80"}).status,
              0);
    std::vector<fs::path> scenes;
    for (const auto& entry : fs::directory_iterator(scratch_ / "scenes")) scenes.push_back(entry.path());
    std::sort(scenes.begin(), scenes.end());
    std::array<TarBuilder, 2> tars;
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      auto picture = content(scenes[i]);
      if (i % 3 == 0) picture = described(std::move(picture), "scene \"" + std::to_string(i) + "\"");
      const auto ending = scenes[i].extension().string();
      const auto number = std::to_string(100 + i);
      const auto json = "{\"caption\": \"scene " + number + "\", \"width\": 1e2, \"score\": NaN}";
      const auto hash = quasar::base::xxh128_hex(std::as_bytes(std::span(picture)));
      auto& expected = expected_[hash];
      exif_[hash] =
          i % 3 == 0 ? R"({"Image ImageDescription":"scene \")" + std::to_string(i) + R"(\""})" : "{}";
      expected["picture"] = picture;
      expected["txt"] = "scene " + number + "\n";
      if (i % 2 == 0) {
        const auto folder = scratch_ / "folder" / ("part.v" + std::to_string(i % 3));
        fs::create_directories(folder);
        write_text(folder / ("p" + number + ending), picture);
        write_text(folder / ("p" + number + ".txt"), expected["txt"]);
        if (i % 4 == 0) write_text(folder / ("p" + number + ".json"), expected["json"] = json);
      } else {
        expected["json"] = json;
        expected["mask.npy"] = std::string(700, static_cast<char>('a' + i));
        tars.at(i / 2 % 2)
            .add("d/" + number + ".txt", expected["txt"])
            .add("d/" + number + ending, picture)
            .add("d/" + number + ".json", json)
            .add("d/" + number + ".mask.npy", expected["mask.npy"]);
      }
    }
    for (std::size_t i = 0; i < tars.size(); ++i)
      write_text(scratch_ / ("t" + std::to_string(i) + ".tar"), tars.at(i).finish());
    const auto outcome = run_quasar({"run", config("{}")});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  std::string config(const std::string& exports) {
    auto path = (scratch_ / "run.yaml").string();
    write_text(path, "run: " + run().string() + "\ncorpus:\n  sources:\n    - {directory: " +
                         (scratch_ / "folder").string() + "}\n    - {tar: \"" +
                         (scratch_ / "t?.tar").string() + "\", fields: [caption]}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() +
                         "}\ncuration: {keep: {top_k: 20}}\nexport: " + exports + "\n");
    return path;
  }
  fs::path run() { return scratch_ / "run"; }
  std::vector<nlohmann::json> kept() {
    std::vector<nlohmann::json> rows;
    std::istringstream lines(content(run() / "manifest.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto row = nlohmann::json::parse(line);
      if (row.at("keep") == true) rows.push_back(std::move(row));
    }
    return rows;
  }
  std::string out(const std::string& name) { return (scratch_ / name).string(); }
  /// Exports on two ranks, which are killed once there is the record of the fourth shard in the folder.
  void kill_after_some_shards(const std::string& path, const std::string& folder) {
    Program program({"export", path}, 2);
    while (program.running() && !fs::exists(scratch_ / folder / ".quasar" / "00003.json"))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (const auto rank : ranks_of(path)) ::kill(rank, SIGKILL);
    program.wait();
  }

  ScratchFolder scratch_;
  /// Of each picture by its xxh128: its sample's files by extension.
  std::map<std::string, std::map<std::string, std::string>> expected_;
  std::map<std::string, std::string> exif_;  ///< Of each picture by its xxh128, as img2dataset has it.
};

/// Samples of a tar as webdataset reads them by its documentation, with Python's tarfile: regular members in
/// the order of the tar; the key is the name up to the first dot of its last part, the rest the extension in
/// lower case; a new key begins a new sample, and a second file of one extension is an error. Key, and
/// content by extension.
std::vector<std::pair<std::string, std::map<std::string, std::string>>> read_tar(const fs::path& tar) {
  const ScratchFolder scratch;
  write_text(scratch / "reader.py", R"(
import json, sys, tarfile
samples = []
keys = set()
for member in (archive := tarfile.open(sys.argv[1], "r|")):
    assert member.isfile(), member.name
    assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, ""), member.name
    folder, slash, name = member.name.rpartition("/")
    key, dot, extension = name.partition(".")
    assert dot and not slash, member.name
    if not samples or samples[-1][0] != key:
        assert key not in keys, key
        keys.add(key)
        samples.append([key, {}])
    assert extension.lower() not in samples[-1][1], member.name
    samples[-1][1][extension.lower()] = archive.extractfile(member).read().hex()
print(json.dumps(samples))
)");
  const auto text = shell("python3 " + (scratch / "reader.py").string() + " " + tar.string());
  const auto json = nlohmann::json::parse(text, nullptr, false);
  EXPECT_TRUE(json.is_array()) << tar << ": " << text;
  std::vector<std::pair<std::string, std::map<std::string, std::string>>> samples;
  if (!json.is_array()) return samples;
  for (const auto& sample : json) {
    std::map<std::string, std::string> files;
    for (const auto& [extension, hex] : sample[1].items()) {
      const auto digits = hex.get<std::string>();
      for (std::size_t i = 0; i < digits.size(); i += 2)
        files[extension] += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
    samples.emplace_back(sample[0], std::move(files));
  }
  return samples;
}

TEST_F(ExportTest, EverySampleIsThereByteForByteInOrderOnAnyNumberOfRanks) {
  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 2, 3, 4}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome =
        run_quasar({"export", config("{set: {format: webdataset, rows: 6, folder: " + folder + "}}")}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("20 samples of 20 kept"));
    all[ranks] = files_of(folder);
    EXPECT_EQ(all[ranks], all[0]) << ranks;
  }
  const auto rows = kept();
  ASSERT_EQ(rows.size(), 20U);
  std::size_t next = 0;
  const auto index = nlohmann::json::parse(all[0].at("index.json"));
  EXPECT_EQ(index.at("__kind__"), "wids-shard-index-v1");
  ASSERT_EQ(index.at("shardlist").size(), 4U);
  for (int shard = 0; shard < 4; ++shard) {
    const auto name = "0000" + std::to_string(shard);
    const auto tar = scratch_ / "ranks0" / (name + ".tar");
    const auto samples = read_tar(tar);
    const auto& told = index.at("shardlist").at(static_cast<std::size_t>(shard));
    EXPECT_EQ(told.at("url"), name + ".tar");
    EXPECT_EQ(told.at("nsamples"), samples.size());
    EXPECT_EQ(told.at("filesize"), fs::file_size(tar));
    EXPECT_EQ(told.at("md5sum").get<std::string>() + "\n",
              shell("md5sum < " + tar.string() + " | cut -c1-32"));
    const auto stats = nlohmann::json::parse(all[0].at(name + "_stats.json"));
    EXPECT_EQ(stats.at("successes"), samples.size());
    ASSERT_EQ(samples.size(), shard < 3 ? 6U : 2U);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto& row = rows[next++];
      auto files = samples[i].second;
      EXPECT_EQ(samples[i].first, name + "000" + std::to_string(i));
      auto expected = expected_.at(row.at("hash"));
      const auto extension = row.at("format") == "jpeg" ? "jpg" : row.at("format").get<std::string>();
      EXPECT_TRUE(files[extension] == expected.at("picture")) << row.at("id");
      EXPECT_EQ(files["txt"], expected.at("txt"));
      EXPECT_EQ(files["mask.npy"], expected["mask.npy"]);
      // What was there stays as it was.
      const auto had = expected["json"];
      if (!had.empty()) {
        EXPECT_TRUE(files["json"].starts_with(had.substr(0, had.size() - 1))) << files["json"];
      }
      const auto added = files["json"].substr(files["json"].find("\"quasar\": ") + 10);
      const auto object = nlohmann::json::parse(added.substr(0, added.size() - 1));
      for (const char* const key : {"id", "rank", "quality", "hash", "reason", "percentile"})
        EXPECT_EQ(object.at(key), row.at(key)) << key;
    }
  }
}

TEST_F(ExportTest, ShuffledAndByFormatWithOtherNames) {
  const auto folder = out("mixed");
  const auto outcome = run_quasar(
      {"export",
       config("{a: {format: webdataset, rows: 7, order: shuffle, seed: 5, members: image, extension: jpg, "
              "formats: homogeneous, folder: " +
              folder + "}, b: {format: webdataset, bytes: 20000, extension: kept, folder: " + folder +
              "-b}}")},
      2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::vector<std::string> ids;
  std::vector<std::string> order;
  for (const auto& row : kept()) order.push_back(row.at("id"));
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".tar") continue;
    std::map<std::string, int> formats;
    for (const auto& [key, files] : read_tar(entry.path())) {
      EXPECT_THAT(files, testing::UnorderedElementsAre(testing::Key("jpg"), testing::Key("json")));
      const auto added = nlohmann::json::parse(files.at("json")).at("quasar");
      ++formats[added.at("format")];
      ids.push_back(added.at("id"));
    }
    EXPECT_EQ(formats.size(), 1U);
  }
  EXPECT_THAT(ids, testing::UnorderedElementsAreArray(order));
  EXPECT_NE(ids, order);
}

TEST_F(ExportTest, KilledInTheMiddleItGoesOnToTheSameBytes) {
  const auto whole =
      run_quasar({"export", config("{set: {format: webdataset, rows: 1, folder: " + out("whole") + "}}")});
  ASSERT_EQ(whole.status, 0) << whole.output;
  const auto path = config("{set: {format: webdataset, rows: 1, folder: " + out("killed") + "}}");
  kill_after_some_shards(path, "killed");
  // A shard without its record, and one that was cut, are written again.
  fs::remove(scratch_ / "killed" / ".quasar" / "00000.json");
  fs::resize_file(scratch_ / "killed" / "00001.tar", 100);
  const auto outcome = run_quasar({"export", path}, 3);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(files_of(scratch_ / "killed"), files_of(scratch_ / "whole"));
  const auto again = run_quasar({"export", path}, 2);
  ASSERT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("of which 20 are there already"));
}

TEST_F(ExportTest, WhatIsGoneOrChangedIsLeftOutAndNamed) {
  const auto rows = kept();
  std::vector<nlohmann::json> files;
  nlohmann::json member;
  for (const auto& row : rows) {
    if (row.at("member").get<std::string>().empty()) {
      files.push_back(row);
    } else {
      member = row;
    }
  }
  const auto source = [](const nlohmann::json& row) { return row.at("source").get<std::string>(); };
  const auto was = content(source(files[1]));
  fs::remove(source(files[0]));
  write_text(source(files[1]), was + "x");
  auto flipped = content(source(files[2]));
  flipped[flipped.size() / 2] ^= 1;
  write_text(source(files[2]), flipped);
  auto tar = content(source(member));
  tar[member.at("offset").get<std::size_t>() + 20] ^= 1;
  write_text(source(member), tar);

  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 3}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome =
        run_quasar({"export", config("{set: {format: webdataset, rows: 6, folder: " + folder + "}}")}, ranks);
    EXPECT_EQ(outcome.status, 4) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("4 of 20 kept rows were left out (3 changed, 1 missing)"),
                                      HasSubstr("left_out.jsonl")));
    all[ranks] = files_of(folder);
    all[ranks]["left_out"] = content(fs::path(folder) / ".quasar" / "left_out.jsonl");
  }
  EXPECT_EQ(all[0], all[3]);
  std::map<std::string, std::string> named;
  std::istringstream lines(all[0]["left_out"]);
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line);
    named[row.at("id")] = row.at("status");
  }
  EXPECT_THAT(named, testing::UnorderedElementsAre(testing::Pair(files[0].at("id"), "missing"),
                                                   testing::Pair(files[1].at("id"), "changed"),
                                                   testing::Pair(files[2].at("id"), "changed"),
                                                   testing::Pair(member.at("id"), "changed")));
  std::size_t samples = 0;
  for (int shard = 0; shard < 4; ++shard) {
    for (const auto& [key, sample] :
         read_tar(scratch_ / "ranks0" / ("0000" + std::to_string(shard) + ".tar"))) {
      ++samples;
      const auto added = sample.at("json").substr(sample.at("json").find("\"quasar\": ") + 10);
      EXPECT_FALSE(named.contains(nlohmann::json::parse(added.substr(0, added.size() - 1)).at("id")));
    }
  }
  EXPECT_EQ(samples, 16U);

  // Back again, it is taken with the others of its shard when that is asked for.
  write_text(source(files[1]), was);
  const auto path = config("{set: {format: webdataset, rows: 6, folder: " + out("ranks0") + "}}");
  EXPECT_THAT(run_quasar({"export", path}).output, HasSubstr("4 of 20 kept rows"));
  EXPECT_THAT(run_quasar({"export", path, "--retry-left-out"}, 2).output, HasSubstr("3 of 20 kept rows"));
}

TEST_F(ExportTest, WhatDoesNotGoTogetherIsRefused) {
  const auto first = config("{set: {format: webdataset, rows: 6, folder: " + out("set") + "}}");
  ASSERT_EQ(run_quasar({"export", first}).status, 0);
  const auto before = files_of(out("set"));
  const auto other =
      run_quasar({"export", config("{set: {format: webdataset, rows: 5, folder: " + out("set") + "}}")}, 2);
  EXPECT_EQ(other.status, 6) << other.output;
  EXPECT_THAT(other.output, AllOf(HasSubstr("rows: 6"), HasSubstr("rows: 5"), HasSubstr("another folder")));
  fs::create_directories(scratch_ / "full");
  write_text(scratch_ / "full" / "thesis.txt", "mine");
  const auto full =
      run_quasar({"export", config("{set: {format: webdataset, folder: " + out("full") + "}}")});
  EXPECT_EQ(full.status, 6) << full.output;
  EXPECT_THAT(full.output, HasSubstr("thesis.txt"));
  EXPECT_FALSE(fs::exists(scratch_ / "full" / ".quasar"));
  const auto unknown = run_quasar({"export", config("{set: {format: webdatset, folder: x}}")});
  EXPECT_EQ(unknown.status, 3) << unknown.output;
  EXPECT_THAT(unknown.output, AllOf(HasSubstr("export.set.format"), HasSubstr("webdataset")));
  const auto nothing = run_quasar({"export", config("{}")});
  EXPECT_EQ(nothing.status, 3) << nothing.output;
  config("{set: {format: webdataset, rows: 6, folder: " + out("set") + "}}");
  const auto ranked = run_quasar({"rank", first, "--set", "curation.keep.top_k=10"});
  ASSERT_EQ(ranked.status, 0) << ranked.output;
  const auto anew = run_quasar({"export", first});
  EXPECT_EQ(anew.status, 6) << anew.output;
  EXPECT_THAT(anew.output, HasSubstr("ranked again"));
  EXPECT_EQ(files_of(out("set")), before);
  const auto limited = run_quasar({"rank", first, "--set", "curation.manifest=[csv]"});
  ASSERT_EQ(limited.status, 0) << limited.output;
  const auto without = run_quasar({"export", first});
  EXPECT_EQ(without.status, 3) << without.output;
  EXPECT_THAT(without.output, HasSubstr("jsonl"));
}

/// The rows of a query, as texts; "NULL" where there is none.
std::vector<std::vector<std::string>> query(const std::string& sql) {
  const quasar::duckdb::Database database;
  auto result = database.query(sql);
  std::vector<std::vector<std::string>> rows;
  while (result.next()) {
    rows.emplace_back();
    for (std::size_t c = 0; c < result.columns().size(); ++c)
      rows.back().emplace_back(result.text(c).value_or("NULL"));
  }
  return rows;
}

void use_duckdb() {
  if (*QUASAR_TEST_DUCKDB != '\0') ::setenv("QUASAR_DUCKDB", QUASAR_TEST_DUCKDB, 1);
}

TEST_F(ExportTest, TheManifestAsParquetIsWhatItIsAsJson) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 3}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome = run_quasar({"export", config("{set: {format: parquet, rows: 9, folder: " + folder +
                                                      "}, "
                                                      "kept: {format: parquet, dropped: false, folder: " +
                                                      folder + "-kept}}")},
                                    ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    all[ranks] = files_of(folder);
    EXPECT_THAT(all[ranks], testing::ElementsAre(testing::Key("00000.parquet"), testing::Key("00001.parquet"),
                                                 testing::Key("00002.parquet")));
  }
  EXPECT_EQ(all[0], all[3]);
  const auto table = "read_parquet('" + out("ranks0") + "/*.parquet')";
  std::vector<std::vector<std::string>> expected;
  std::istringstream lines(content(run() / "manifest.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line);
    const auto caption =
        row.at("fields").is_object() ? row.at("fields").at("caption").get<std::string>() : "NULL";
    expected.push_back({row.at("rank").dump(), row.at("id"), row.at("hash"), row.at("keep").dump(),
                        row.at("reason"), row.at("row").dump(), caption, "true"});
  }
  EXPECT_EQ(expected.size(), 24U);
  EXPECT_EQ(query("SELECT rank::VARCHAR, id, hash, keep::VARCHAR, reason, row::VARCHAR, caption, "
                  "(quality BETWEEN 0 AND 1)::VARCHAR FROM " +
                  table + " ORDER BY rank"),
            expected);
  EXPECT_EQ(
      query("SELECT typeof(quality), typeof(rank), typeof(keep), typeof(fields), typeof(percentile) FROM " +
            table + " LIMIT 1"),
      (std::vector<std::vector<std::string>>{
          {"FLOAT", "BIGINT", "BOOLEAN", "MAP(VARCHAR, VARCHAR)", "DOUBLE"}}));
  EXPECT_EQ(
      query("SELECT count(*)::VARCHAR, bool_and(keep)::VARCHAR FROM '" + out("ranks0") + "-kept/*.parquet'"),
      (std::vector<std::vector<std::string>>{{"20", "true"}}));
}

TEST_F(ExportTest, ScoresWhoseNamesAreLikeThoseOfOtherColumnsAreScoresInParquet) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  const auto file = (source_dir() / "anchors" / "mini-quality.h5").string();
  const auto path = config("{set: {format: parquet, folder: " + out("set") + "}}");
  const auto anchors = "anchors={cluster_q: " + file + ", Row: " + file + "}";
  for (const std::string step : {"score", "rank", "export"}) {
    const auto outcome = run_quasar({step, path, "--set", anchors});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  const auto table = "'" + out("set") + "/00000.parquet'";
  EXPECT_EQ(query("SELECT typeof(cluster_q), typeof(\"Row\"), typeof(row_) FROM " + table + " LIMIT 1"),
            (std::vector<std::vector<std::string>>{{"FLOAT", "FLOAT", "BIGINT"}}));
  EXPECT_EQ(query("SELECT count(*)::VARCHAR, (min(row_) + max(row_))::VARCHAR FROM " + table +
                  " WHERE cluster_q > 0 AND cluster_q < 1 AND \"Row\" = cluster_q"),
            (std::vector<std::vector<std::string>>{{"24", "23"}}));
}

TEST_F(ExportTest, KilledWhileItWritesTablesItLeavesNoPartOfThem) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  const auto path = config("{set: {format: npy, rows: 1, folder: " + out("set") + "}}");
  kill_after_some_shards(path, "set");
  // As a process that is gone leaves it.
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto left = quasar::base::temporary_name(scratch_ / "set" / "img_emb" / "img_emb_9.npy");
    write_text(left, "part");
    ::_exit(fs::exists(left) ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const auto outcome = run_quasar({"export", path});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::vector<std::string> names;
  names.reserve(40);
  for (int i = 0; i < 20; ++i) names.push_back("img_emb/img_emb_" + std::to_string(i) + ".npy");
  for (int i = 0; i < 20; ++i) names.push_back("metadata/metadata_" + std::to_string(i) + ".parquet");
  std::vector<std::string> found;
  for (const auto& [name, bytes] : files_of(out("set"))) found.push_back(name);
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(names));
}

TEST_F(ExportTest, Img2datasetsTableStandsBesideEachTar) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  const auto rows = kept();
  fs::remove(rows.at(2).at("source").get<std::string>());
  const auto outcome = run_quasar(
      {"export", config("{set: {format: webdataset, rows: 15, parquet: true, folder: " + out("set") + "}}")},
      2);
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  std::vector<std::vector<std::string>> expected;
  for (std::size_t i = 0; i < 15; ++i) {
    const auto& row = rows[i];
    const auto key = "00000" + std::string(i < 10 ? "000" : "00") + std::to_string(i);
    const bool there = fs::exists(row.at("source").get<std::string>());
    const auto& picture = expected_.at(row.at("hash")).at("picture");
    expected.push_back(
        {row.at("fields").is_object() ? row.at("fields").at("caption").get<std::string>() : "NULL", key,
         there ? "success" : "missing", "96", "80", "96", there ? exif_.at(row.at("hash")) : "NULL",
         there ? quasar::base::sha256_hex(picture) : "NULL"});
  }
  EXPECT_EQ(query("SELECT caption, key, status, width::VARCHAR, height::VARCHAR, original_width::VARCHAR, "
                  "exif, sha256 FROM '" +
                  out("set") + "/00000.parquet'"),
            expected);
  EXPECT_EQ(query("SELECT typeof(width), typeof(exif) FROM '" + out("set") + "/00001.parquet' LIMIT 1"),
            (std::vector<std::vector<std::string>>{{"INTEGER", "VARCHAR"}}));
}

/// Rows of a Parquet file as npm's hyparquet, which shares no code with DuckDB, reads them: the named columns
/// as texts; "NULL" where there is none. The file is read out of `modules`.
std::vector<std::vector<std::string>> read_by_hyparquet(const fs::path& file, const std::string& columns,
                                                        const fs::path& modules) {
  const ScratchFolder scratch;
  fs::create_directory_symlink(modules / "node_modules", scratch / "node_modules");
  write_text(scratch / "reader.mjs", R"(
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
const [path, ...columns] = process.argv.slice(2)
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
const text = value => value === null || value === undefined ? 'NULL' : String(value)
console.log(JSON.stringify(rows.map(row => columns.map(column => text(row[column])))))
)");
  const auto printed =
      shell("node " + (scratch / "reader.mjs").string() + " " + file.string() + " " + columns + " 2>&1");
  const auto rows = nlohmann::json::parse(printed, nullptr, false);
  EXPECT_TRUE(rows.is_array()) << printed;
  if (!rows.is_array()) return {};
  return rows.get<std::vector<std::vector<std::string>>>();
}

TEST_F(ExportTest, TablesAreReadByAnotherReaderOfParquetAsByDuckDb) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  const fs::path modules = *QUASAR_TEST_NODE != '\0' ? QUASAR_TEST_NODE : "/usr/local/lib/quasar-tests";
  if (shell("node --version 2>&1").rfind('v', 0) != 0 || !fs::exists(modules / "node_modules" / "hyparquet"))
    GTEST_SKIP() << "no node, or no hyparquet in " << (modules / "node_modules")
                 << ": tools/setup fetches it where npm is";
  const auto outcome =
      run_quasar({"export", config("{tars: {format: webdataset, parquet: true, folder: " + out("tars") +
                                   "}, all: {format: parquet, folder: " + out("all") +
                                   "}, vectors: {format: npy, folder: " + out("vectors") + "}}")});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto compare = [&](const std::string& file, const std::string& columns, std::size_t rows) {
    std::string texts;
    std::istringstream names(columns);
    for (std::string name; names >> name;)
      texts += (texts.empty() ? "" : ", ") + ("\"" + name + "\"") + "::VARCHAR";
    const auto expected = query("SELECT " + texts + " FROM '" + out(file) + "'");
    EXPECT_EQ(expected.size(), rows);
    EXPECT_EQ(read_by_hyparquet(out(file), columns, modules), expected) << file;
  };
  compare("tars/00000.parquet", "caption key status error_message width original_height exif sha256", 20);
  compare("all/00000.parquet", "rank id source member offset bytes hash width status keep reason row caption",
          24);
  compare("vectors/metadata/metadata_0.parquet", "rank id hash keep row caption", 20);
}

TEST_F(ExportTest, WithoutDuckDbParquetIsRefusedBeforeAnyWork) {
  for (const char* const keys : {"format: parquet", "format: npy", "format: webdataset, parquet: true"}) {
    const auto outcome = run_quasar({"export", config("{a: {format: urls, folder: " + out("urls") +
                                                      "}, set: {" + keys + ", folder: " + out("set") + "}}")},
                                    2, {"QUASAR_DUCKDB=/none/libduckdb.so"});
    EXPECT_EQ(outcome.status, 4) << outcome.output;
    EXPECT_THAT(outcome.output,
                AllOf(HasSubstr("export.set"), HasSubstr("npm pack @duckdb/node-bindings-linux-x64")));
    EXPECT_FALSE(fs::exists(scratch_ / "set"));
    EXPECT_FALSE(fs::exists(scratch_ / "urls"));
  }
}

TEST_F(ExportTest, EmbeddingsAreThoseOfTheRunWithTheirRows) {
  use_duckdb();
  QUASAR_REQUIRE_DUCKDB();
  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 2}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome =
        run_quasar({"export", config("{half: {format: npy, rows: 12, folder: " + folder +
                                     "}, full: {format: npy, dtype: float32, folder: " + folder + "-full}}")},
                   ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    all[ranks] = files_of(folder);
    EXPECT_THAT(all[ranks], testing::ElementsAre(testing::Key("img_emb/img_emb_0.npy"),
                                                 testing::Key("img_emb/img_emb_1.npy"),
                                                 testing::Key("metadata/metadata_0.parquet"),
                                                 testing::Key("metadata/metadata_1.parquet")));
  }
  EXPECT_EQ(all[0], all[2]);
  auto rows = kept();
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.at("row") < b.at("row"); });
  // One shard for each source.
  std::vector<float> stored;
  std::size_t dimension = 0;
  for (int shard = 0; fs::exists(run() / ("embeddings/shard-00000" + std::to_string(shard) + ".h5"));
       ++shard) {
    const quasar::store::EmbeddingShardReader reader(
        run() / ("embeddings/shard-00000" + std::to_string(shard) + ".h5"));
    dimension = static_cast<std::size_t>(reader.header().dimension);
    std::vector<float> some(reader.size() * dimension);
    reader.read_embeddings(0, reader.size(), some);
    stored.insert(stored.end(), some.begin(), some.end());
  }
  ASSERT_EQ(stored.size(), 24 * dimension);
  const auto full = content(scratch_ / "ranks0-full" / "img_emb" / "img_emb_0.npy");
  const auto header = quasar::store::read_npy_header(std::as_bytes(std::span(full)));
  ASSERT_EQ(header.rows, 20U);
  ASSERT_EQ(header.columns, dimension);
  std::vector<float> values(20 * dimension);
  quasar::store::read_npy_rows(std::as_bytes(std::span(full)), header, 0, 20, values);
  std::vector<float> halves(12 * dimension);
  const auto& half = all[0].at("img_emb/img_emb_0.npy");
  const auto half_header = quasar::store::read_npy_header(std::as_bytes(std::span(half)));
  ASSERT_EQ(half_header.rows, 12U);
  quasar::store::read_npy_rows(std::as_bytes(std::span(half)), half_header, 0, 12, halves);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows[i].at("row").get<std::size_t>();
    for (std::size_t d = 0; d < dimension; ++d) {
      ASSERT_EQ(values[i * dimension + d], stored[row * dimension + d]) << i << " " << d;
      if (i < 12) {
        ASSERT_EQ(halves[i * dimension + d],
                  quasar::store::from_half(quasar::store::to_half(stored[row * dimension + d])));
      }
    }
  }
  std::vector<std::vector<std::string>> ids;
  ids.reserve(rows.size());
  for (const auto& row : rows) ids.push_back({row.at("id")});
  EXPECT_EQ(query("SELECT id FROM '" + out("ranks0-full") + "/metadata/metadata_0.parquet'"), ids);
  // NumPy itself, where it is.
  if (shell("/usr/bin/python3 -c 'import numpy' 2>&1").empty()) {
    EXPECT_EQ(shell("/usr/bin/python3 -c \"import numpy; a = numpy.load('" + out("ranks0") +
                    "/img_emb/img_emb_1.npy'); print(a.dtype, a.shape[0])\""),
              "float16 8\n");
  }
}

TEST_F(ExportTest, ListsOfUidsAndUrls) {
  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 3}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome =
        run_quasar({"export", config("{set: {format: datacomp_uids, folder: " + folder + "}}")}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    all[ranks] = files_of(folder);
  }
  EXPECT_EQ(all[0], all[3]);
  const auto& file = all[0].at("uids.npy");
  ASSERT_EQ(file.size(), 128U + 20 * 16);
  std::vector<std::string> hashes;
  for (const auto& row : kept()) hashes.push_back(row.at("hash"));
  std::sort(hashes.begin(), hashes.end());
  std::vector<std::string> found;
  for (std::size_t i = 128; i < file.size(); i += 16) {
    std::string digits;
    for (const std::size_t half : {0U, 8U}) {
      for (std::size_t byte = 8; byte-- > 0;) {
        constexpr const char* kHex = "0123456789abcdef";
        const auto value = static_cast<unsigned char>(file[i + half + byte]);
        digits += {kHex[value >> 4U], kHex[value & 15U]};
      }
    }
    found.push_back(digits);
  }
  EXPECT_EQ(found, hashes);

  // What a field says, and who has none.
  const auto outcome =
      run_quasar({"export", config("{set: {format: urls, field: caption, folder: " + out("urls") + "}}")}, 2);
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  std::string expected;
  std::size_t without = 0;
  for (const auto& row : kept()) {
    if (row.at("fields").is_object()) {
      expected += row.at("fields").at("caption").get<std::string>() + "\n";
    } else {
      ++without;
    }
  }
  EXPECT_THAT(outcome.output, HasSubstr(std::to_string(without) + " of 20 kept rows were left out (" +
                                        std::to_string(without) + " no url)"));
  EXPECT_EQ(content(scratch_ / "urls" / "urls.txt"), expected);
}

TEST_F(ExportTest, AnImageFolderNamesEachOfItsFiles) {
  std::map<int, std::map<std::string, std::string>> all;
  for (const int ranks : {0, 3}) {
    const auto folder = out("ranks" + std::to_string(ranks));
    const auto outcome = run_quasar(
        {"export", config("{set: {format: imagefolder, rows: 8, folder: " + folder + "}}")}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    all[ranks] = files_of(folder);
  }
  EXPECT_EQ(all[0], all[3]);
  EXPECT_EQ(all[0].size(), 21U);
  const auto rows = kept();
  std::istringstream lines(all[0].at("metadata.jsonl"));
  std::size_t i = 0;
  for (std::string line; std::getline(lines, line); ++i) {
    const auto told = nlohmann::json::parse(line);
    EXPECT_EQ(nlohmann::ordered_json::parse(line).begin().key(), "file_name");
    EXPECT_EQ(told.at("id"), rows.at(i).at("id"));
    EXPECT_EQ(told.at("quality"), rows.at(i).at("quality"));
    EXPECT_EQ(told.at("caption"),
              rows.at(i).at("fields").is_object() ? rows.at(i).at("fields").at("caption") : "");
    EXPECT_TRUE(all[0].at(told.at("file_name")) == expected_.at(rows.at(i).at("hash")).at("picture"));
  }
  EXPECT_EQ(i, 20U);
}

TEST_F(ExportTest, AFullDiskIsAnErrorOfItsOwn) {
  // Files may grow to 32 MiB, which ends a write as a full disk does.
  write_text(scratch_ / "limited",
             "#!/bin/bash\ntrap '' XFSZ\nulimit -f 32768\nexec " QUASAR_PROGRAM " \"$@\"\n");
  fs::permissions(scratch_ / "limited", fs::perms::owner_all);
  std::uint64_t large = std::uint64_t{48} << 20U;
  for (const auto& row : kept()) {
    if (!row.at("member").get<std::string>().empty()) continue;
    const auto beside = fs::path(row.at("source").get<std::string>()).replace_extension(".raw");
    write_text(beside, "");
    fs::resize_file(beside, std::exchange(large, 1));
  }
  const auto path = config("{set: {format: webdataset, folder: " + out("set") + "}}");
  Program program({"export", path}, 0, {}, scratch_ / "limited");
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("cannot write"));
  EXPECT_FALSE(fs::exists(scratch_ / "set" / "00000.tar"));
  ASSERT_EQ(run_quasar({"export", path}).status, 0);
  EXPECT_GT(fs::file_size(scratch_ / "set" / "00000.tar"), std::uint64_t{48} << 20U);
}

}  // namespace
