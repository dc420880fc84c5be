// Every file that a run writes is the same, byte for byte, on any number of ranks and at any time:
// embeddings, anchors of each aggregation, scores, manifests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class RanksTest : public testing::Test {
 protected:
  void SetUp() override {
    render("pictures", 20, 1);
    render("good", 9, 500);
    render("rated", 24, 900);
    std::string table = "path,mos\n";
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_ / "rated"))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    // Some labels come twice, so that ties have to be broken alike everywhere.
    for (std::size_t i = 0; i < names.size(); ++i)
      table += names[i] + "," + std::to_string((i * 7) % 10) + ".5\n";
    write_text(scratch_ / "rated" / "rated.csv", table);
    write_text(scratch_ / "pictures" / "broken.png", "this is no picture");
  }
  void render(const char* folder, int count, int seed) const {
    const auto outcome = render_scenes(scratch_ / folder, {"--count", std::to_string(count), "--width", "80",
                                                           "--height", "72", "--seed", std::to_string(seed)});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  /// Sets of each aggregation that has k-means in it, from both kinds of anchor data. Several shards each, so
  /// that rows lie on all ranks.
  std::string config(const std::string& name) const {
    const auto pristine =
        "    corpus: {directory: " + (scratch_ / "good").string() +
        ", shard_size: 5}\n    distortions: {kinds: [jpeg, gaussian_blur], levels: [2, 5]}\n";
    const auto rated = "    corpus: {table: " + (scratch_ / "rated" / "rated.csv").string() +
                       ", label_column: mos, shard_size: 4}\n";
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() +
                         "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nencoder: {batch_size: 4}\nanchors:\n"
                         "  clustered:\n" +
                         pristine +
                         "    recipe: {aggregation: clustering, k: 3, iterations: 10}\n"
                         "  several:\n" +
                         pristine +
                         "    recipe: {aggregation: multi, k: 3, iterations: 10, ratio: 0.8}\n"
                         "  rated:\n" +
                         rated +
                         "    recipe: {kind: no_reference, aggregation: multi, k: 2, offset: 0.2}\n"
                         "curation: {weights: {clustered: 2, several: 1}, keep: {top_fraction: 0.5}}\n");
    return path;
  }
  fs::path run(const std::string& name) const { return scratch_ / ("run-" + name); }

  /// Content by name below the run directory of all that holds results.
  std::map<std::string, std::string> results(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(run(name))) {
      const auto file = entry.path().lexically_relative(run(name)).string();
      const bool data = entry.path().extension() == ".h5";
      if (data || file == "items.jsonl" || file == "plan.json" || file.starts_with("manifest.") ||
          file == "summary.json" || file == "report.html")
        files[file] = content(entry.path());
    }
    return files;
  }

  ScratchFolder scratch_;
};

TEST_F(RanksTest, EveryResultIsByteIdenticalOnOneToFourRanks) {
  const auto alone = run_quasar({"run", config("alone")});
  ASSERT_EQ(alone.status, 0) << alone.output;
  EXPECT_THAT(alone.output, HasSubstr("anchors several: "));
  EXPECT_THAT(alone.output, HasSubstr(", 3 pairs"));
  EXPECT_THAT(alone.output, HasSubstr(", 2 pairs"));
  const auto expected = results("alone");
  for (const char* file : {"anchors/clustered.h5", "anchors/several.h5", "anchors/rated.h5", "embeddings.h5",
                           "embeddings/shard-000006.h5", "scores/shard-000006.h5", "manifest.csv"})
    ASSERT_EQ(expected.count(file), 1U) << file;
  for (int ranks = 1; ranks <= 4; ++ranks) {
    const auto name = std::to_string(ranks);
    const auto outcome = run_quasar({"run", config(name)}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const auto found = results(name);
    EXPECT_EQ(found.size(), expected.size());
    // Compared as a whole: what differs between binary files is not fit for a log.
    for (const auto& [file, bytes] : expected) {
      const auto same = found.find(file);
      EXPECT_TRUE(same != found.end() && same->second == bytes) << file << " on " << ranks << " ranks";
    }
  }
}

TEST_F(RanksTest, SetsAreBuiltAgainOnlyOfOtherDataOrByAnotherRecipe) {
  const auto path = config("twice");
  ASSERT_EQ(run_quasar({"run", path}, 2).status, 0);
  const auto before = results("twice");
  const auto again = run_quasar({"score", path}, 3);
  ASSERT_EQ(again.status, 0) << again.output;
  for (const std::string set : {"clustered", "several", "rated"})
    EXPECT_THAT(again.output, HasSubstr("anchors " + set + ": built before"));
  EXPECT_THAT(again.output, testing::Not(HasSubstr("iteration")));
  EXPECT_TRUE(results("twice") == before);
  const auto recipe = run_quasar({"score", path, "--set", "anchors.several.recipe.k=2"}, 2);
  ASSERT_EQ(recipe.status, 0) << recipe.output;
  EXPECT_THAT(recipe.output, testing::AllOf(HasSubstr("anchors clustered: built before"),
                                            testing::Not(HasSubstr("anchors several: built before"))));
  for (const auto& entry : fs::directory_iterator(scratch_ / "good")) {
    fs::remove(entry.path());
    break;
  }
  const auto data = run_quasar({"score", path}, 2);
  ASSERT_EQ(data.status, 0) << data.output;
  EXPECT_THAT(data.output, testing::AllOf(HasSubstr("anchors rated: built before"),
                                          testing::Not(HasSubstr("anchors clustered: built before"))));
}

TEST_F(RanksTest, FailedRowsOfAnchorDataHaveNoPartInItsLabels) {
  const auto rated = scratch_ / "rated" / "rated.csv";
  const auto table = content(rated);
  const auto header = table.find('\n') + 1;
  write_text(rated, table.substr(0, header) + "missing.png,\n" + table.substr(header) + "gone.png,99\n");
  ASSERT_EQ(run_quasar({"anchors", config("labels")}, 2).status, 0);
  const auto told = run_quasar({"inspect", (run("labels") / "anchors" / "rated.h5").string()});
  ASSERT_EQ(told.status, 0) << told.output;
  EXPECT_THAT(told.output, testing::ContainsRegex("statistic_label_min +0.5\n"));
  EXPECT_THAT(told.output, testing::ContainsRegex("statistic_label_max +9.5\n"));
  EXPECT_THAT(told.output, testing::ContainsRegex("count_rows_failed +2\n"));
}

TEST_F(RanksTest, PairsThatMultiCannotMakeAreSaidToBeMissing) {
  // One picture, many times: a second cluster has no member.
  std::string table = "path,mos\n";
  const auto first = *fs::directory_iterator(scratch_ / "good");
  for (int i = 0; i < 8; ++i)
    table += first.path().string() + "," + std::to_string(i) + ",row" + std::to_string(i) + "\n";
  table.replace(0, 8, "path,mos,id");
  write_text(scratch_ / "rated" / "rated.csv", table);
  const auto outcome =
      run_quasar({"anchors", config("equal"), "--set", "anchors.rated.corpus.id_column=id"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("anchors \"rated\": 1 pairs of the 2 asked for"));
}

TEST_F(RanksTest, RanksThatWouldHaveNoShardAreNamedWithASizeThatHelps) {
  const auto ranks = [](const std::vector<std::string>& words) { return run_quasar(words, 2); };
  const auto idle = ranks({"run", config("idle"), "--set", "corpus.shard_size=100"});
  ASSERT_EQ(idle.status, 0) << idle.output;
  EXPECT_THAT(idle.output, HasSubstr("21 images in 1 shard, 2 ranks"));
  EXPECT_THAT(idle.output, HasSubstr("1 shard for 2 ranks leave some without work"));
  EXPECT_THAT(idle.output, HasSubstr("corpus.shard_size: 2 gives each a share"));
  const auto busy = ranks({"run", config("busy"), "--set", "corpus.shard_size=2"});
  ASSERT_EQ(busy.status, 0) << busy.output;
  EXPECT_THAT(busy.output, testing::Not(HasSubstr("without work")));
}

}  // namespace
