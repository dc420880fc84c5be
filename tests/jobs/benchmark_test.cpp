// Published data sets as a user meets them: what a plan says of them before the first picture.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class BenchmarkTest : public testing::Test {
 protected:
  /// Its pictures are invented; these an encoder takes.
  void put_scenes(const fs::path& folder) const {
    const auto scenes = scratch_ / "scenes";
    ASSERT_EQ(render_scenes(scenes, {"--count", "10", "--width", "96", "--height", "96"}).status, 0);
    auto scene = fs::directory_iterator(scenes);
    for (const auto& picture : fs::directory_iterator(folder)) {
      ASSERT_NE(scene, fs::directory_iterator());
      fs::remove(picture.path());
      fs::copy_file(scene->path(), picture.path());
      ++scene;
    }
  }
  Outcome plan(const std::string& corpus) {
    write_text(scratch_ / "config.yaml", "run: " + (scratch_ / "run").string() + "\ncorpus: {" + corpus +
                                             "}\nanchors: {quality: " +
                                             (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return run_quasar({"plan", (scratch_ / "config.yaml").string(), "--freeze"});
  }
  static fs::path tree(const std::string& name) { return shared_data() / "data" / "benchmarks" / name; }

  ScratchFolder scratch_;
};

TEST_F(BenchmarkTest, APlanSaysHowMuchOfADataSetIsThere) {
  QUASAR_REQUIRE_DATA(tree("koniq10k"));
  const auto outcome = plan("benchmark: koniq10k, split: test, root: " + tree("koniq10k").string());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("data set       koniq10k, test: 3 of 2,015, 1 picture missing; MOS from 0 to 100, "
                      "higher is better"),
            HasSubstr("noted          1 (pictures that are missing)"),
            HasSubstr("left out       3 (pictures of other splits than test)"),
            HasSubstr("there is no " + (tree("koniq10k") / "1024x768/9995874256.jpg").string())));
  const auto written = json::parse(content(scratch_ / "run" / "plan.json"));
  EXPECT_EQ(written.at("sources").at(0).at("set").at("label").at("direction"), "up");
  // The plan in place is found again.
  const auto again = plan("benchmark: koniq10k, split: test, root: " + tree("koniq10k").string());
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("data set       koniq10k, test: 3 of 2,015"));
}

TEST_F(BenchmarkTest, ADissimilarityIsSaidToBeOne) {
  QUASAR_REQUIRE_DATA(tree("pieapp"));
  const auto outcome =
      plan("benchmark: pieapp, root: " + (tree("pieapp") / "PieAPP_dataset_CVPR_2018").string());
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              HasSubstr("pieapp: 3 of 600, no picture missing; dissimilarity, lower is better"));
}

TEST_F(BenchmarkTest, MistakesEndWithTheFileOrTheWordThatWasMeant) {
  QUASAR_REQUIRE_DATA(tree("liveitw"));
  const auto wrong_root = plan("benchmark: liveitw, root: " + tree("liveitw").string());
  EXPECT_EQ(wrong_root.status, 4);
  EXPECT_THAT(wrong_root.output,
              AllOf(HasSubstr("there is no Data/AllImages_release.mat"), HasSubstr("it lies in "
                                                                                   "ChallengeDB_release")));
  const auto wrong_name = plan("benchmark: live-itw, root: " + tree("liveitw").string());
  EXPECT_EQ(wrong_name.status, 3);
  EXPECT_THAT(wrong_name.output, HasSubstr("did you mean \"liveitw\"?"));
}

TEST_F(BenchmarkTest, ARunOnOneIsEvaluatedByItsKindsOfDistortion) {
  QUASAR_REQUIRE_DATA(tree("kadid10k"));
  // Its layout, with pictures that an encoder takes.
  const auto root = scratch_ / "kadid10k";
  fs::copy(tree("kadid10k") / "kadid10k", root, fs::copy_options::recursive);
  put_scenes(root / "images");
  ASSERT_EQ(plan("benchmark: kadid10k, root: " + root.string()).status, 0);
  const auto config = (scratch_ / "config.yaml").string();
  const auto run = run_quasar({"run", config});
  ASSERT_EQ(run.status, 0) << run.output;
  const auto outcome = run_quasar({"evaluate", config, "--group", "kind"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("higher is better"));
  const auto found = json::parse(content(scratch_ / "run" / "evaluation.json"));
  EXPECT_GT(found.at("n").get<int>(), 0);
  EXPECT_FALSE(found.at("groups").empty());
  EXPECT_THAT(found.at("remarks").at(0).get<std::string>(), HasSubstr("kadid10k"));
  EXPECT_EQ(
      found.at("rows").get<int>(), found.at("n").get<int>() + [&] {
        int left_out = 0;
        for (const auto& [why, count] : found.at("left_out").items()) left_out += count.get<int>();
        return left_out;
      }());
}

TEST_F(BenchmarkTest, LabelsOutsideTheRangeAreCountedAndNamedInEveryOutputOfAnEvaluation) {
  QUASAR_REQUIRE_DATA(tree("koniq10k"));
  const auto root = scratch_ / "koniq10k";
  fs::copy(tree("koniq10k"), root, fs::copy_options::recursive);
  put_scenes(root / "1024x768");
  const auto labels = root / "koniq10k_distributions_sets.csv";
  auto text = content(labels);
  const std::string mos = ",77.3836206897,";
  ASSERT_NE(text.find(mos), std::string::npos);
  text.replace(text.find(mos), mos.size(), ",177.3836206897,");
  fs::permissions(labels, fs::perms::owner_write, fs::perm_options::add);
  write_text(labels, text);
  const auto planned = plan("benchmark: koniq10k, root: " + root.string());
  ASSERT_EQ(planned.status, 0) << planned.output;
  EXPECT_THAT(planned.output,
              AllOf(HasSubstr("the label 177.3836206897 is outside 0 to 100; the row goes without"),
                    HasSubstr("1 (labels outside 0 to 100)")));
  const auto config = (scratch_ / "config.yaml").string();
  ASSERT_EQ(run_quasar({"run", config}).status, 0);
  const auto outcome = run_quasar({"evaluate", config});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = json::parse(content(scratch_ / "run" / "evaluation.json"));
  EXPECT_EQ(found.at("noted").at("left out of the corpus: labels outside 0 to 100"), 1) << found;
  EXPECT_EQ(found.at("left_out").at("label missing or not finite"), 1) << found;
  EXPECT_THAT(outcome.output, HasSubstr("labels outside 0 to 100"));
  for (const char* file : {"evaluation.csv", "evaluation.html"})
    EXPECT_THAT(content(scratch_ / "run" / file), HasSubstr("labels outside 0 to 100")) << file;
}

}  // namespace
