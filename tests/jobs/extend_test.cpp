// A finished run to which sources are added, as a user does it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <regex>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class ExtendTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name : {"first", "second"}) {
      const auto outcome = render_scenes(scratch_ / name, {"--count", "11", "--width", "120", "--height",
                                                           "90", "--seed", name == "first" ? "1" : "2"});
      ASSERT_EQ(outcome.status, 0) << outcome.output;
    }
  }

  std::string config(const std::string& run, const std::vector<std::string>& sources,
                     const std::string& rest = "") {
    std::string text = "run: " + (scratch_ / run).string() + "\ncorpus:\n  shard_size: 4\n  sources:\n";
    for (const auto& source : sources)
      text += "    - {directory: " + (scratch_ / source).string() + ", name: " + source + "}\n";
    text += "anchors: {quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n" + rest;
    auto path = (scratch_ / (run + ".yaml")).string();
    write_text(path, text);
    return path;
  }
  std::map<std::string, std::string> results(const std::string& run) {
    std::map<std::string, std::string> files;
    for (const char* file : {"manifest.csv", "manifest.jsonl", "report.html"})
      files[file] = content(scratch_ / run / file);
    return files;
  }
  /// Without the last column, row.
  static std::map<std::string, std::string> without_places(std::map<std::string, std::string> files) {
    files["manifest.csv"] = std::regex_replace(files["manifest.csv"], std::regex(",\\d+\n"), "\n");
    files["manifest.jsonl"] =
        std::regex_replace(files["manifest.jsonl"], std::regex(",\"row\":\\d+\\}\n"), "}\n");
    return files;
  }
  /// Time of writing of every shard of a run, by path below it.
  std::map<std::string, fs::file_time_type> stamps(const std::string& run) {
    std::map<std::string, fs::file_time_type> times;
    for (const char* folder : {"embeddings", "scores"}) {
      for (const auto& entry : fs::directory_iterator(scratch_ / run / folder))
        times[std::string(folder) + "/" + entry.path().filename().string()] = entry.last_write_time();
    }
    return times;
  }

  ScratchFolder scratch_;
};

TEST_F(ExtendTest, OnlyTheNewSourceIsWorkedOnAndTheResultIsThatOfOneRunOverAll) {
  ASSERT_EQ(run_quasar({"run", config("whole", {"first", "second"})}, 2).status, 0);
  ASSERT_EQ(run_quasar({"run", config("grown", {"first"})}).status, 0);
  const auto before = stamps("grown");
  ASSERT_EQ(before.size(), 6U);
  // Were an old image looked at again, its row would fail.
  std::map<fs::path, std::string> pictures;
  for (const auto& entry : fs::directory_iterator(scratch_ / "first")) {
    pictures[entry.path()] = content(entry.path());
    fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
  }
  const auto grown = run_quasar({"run", config("grown", {"first", "second"})}, 3);
  ASSERT_EQ(grown.status, 0) << grown.output;
  const auto after = stamps("grown");
  EXPECT_EQ(after.size(), 12U);
  for (const auto& [shard, time] : before) EXPECT_EQ(after.at(shard), time) << shard << " was written anew";
  // The report alone shows pictures as they are now.
  for (const auto& [path, bytes] : pictures) write_text(path, bytes);
  const auto report = run_quasar({"report", (scratch_ / "grown").string()});
  EXPECT_EQ(report.status, 0) << report.output;
  EXPECT_EQ(results("grown"), results("whole"));
}

TEST_F(ExtendTest, TheOrderInWhichSourcesCameChangesNothingButPlacesInThePlan) {
  ASSERT_EQ(run_quasar({"run", config("one", {"first", "second"})}).status, 0);
  ASSERT_EQ(run_quasar({"run", config("other", {"second", "first"})}, 2).status, 0);
  EXPECT_EQ(without_places(results("one")), without_places(results("other")));
}

TEST_F(ExtendTest, ASourceTakenAwayIsRefusedByName) {
  ASSERT_EQ(run_quasar({"embed", config("less", {"first", "second"})}).status, 0);
  const auto outcome = run_quasar({"run", config("less", {"second"})}, 2);
  EXPECT_EQ(outcome.status, 6) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr((scratch_ / "first").string()));
}

TEST_F(ExtendTest, AFrozenPlanIsListedAgainByFreezingAlone) {
  // The folder does not change with what a link in it leads to.
  const fs::path picture = fs::directory_iterator(scratch_ / "first")->path();
  fs::rename(picture, scratch_ / "elsewhere.png");
  fs::create_symlink(scratch_ / "elsewhere.png", picture);
  const auto path = config("frozen", {"first"});
  ASSERT_EQ(run_quasar({"embed", path}).status, 0);
  const auto plan = scratch_ / "frozen" / "plan.json";
  fs::last_write_time(plan, fs::last_write_time(plan) + std::chrono::minutes(1));
  const auto joined = fs::last_write_time(scratch_ / "frozen" / "embeddings.h5");
  fs::rename(scratch_ / "elsewhere.png", scratch_ / "gone.png");
  const auto again = run_quasar({"embed", path}, 2);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("ok: 11"));
  EXPECT_EQ(fs::last_write_time(scratch_ / "frozen" / "embeddings.h5"), joined);
  const auto listed = run_quasar({"plan", path, "--freeze"});
  EXPECT_EQ(listed.status, 6) << listed.output;
  EXPECT_THAT(listed.output, HasSubstr("held 11 images and now holds 10"));
  write_text(scratch_ / "first" / "new.png", "a further picture");
  for (const auto* step : {"embed", "run"}) {
    const auto changed = run_quasar({step, path});
    EXPECT_EQ(changed.status, 6) << changed.output;
    EXPECT_THAT(changed.output, HasSubstr("has changed since the run was planned"));
  }
}

TEST_F(ExtendTest, RankingRefusesScoresThatAreOlderThanTheirEmbeddings) {
  const auto path = config("stale", {"first"});
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto before = results("stale");
  fs::remove(scratch_ / "stale" / "embeddings" / "shard-000001.h5");
  for (const auto& entry : fs::directory_iterator(scratch_ / "first")) {
    if (entry.path().filename().string().starts_with("scene-0005"))
      fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
  }
  const auto embedded = run_quasar({"embed", path});
  ASSERT_EQ(embedded.status, 0) << embedded.output;
  const auto ranked = run_quasar({"rank", path}, 2);
  EXPECT_EQ(ranked.status, 6) << ranked.output;
  EXPECT_THAT(ranked.output, HasSubstr("score the run again"));
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  EXPECT_NE(results("stale"), before);
}

}  // namespace
