// A signal while scores are made or ranked: a clean stop of all ranks, from which the same command continues.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class StopTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome = run_quasar(
        {"scenes", (scratch_ / "pictures").string(), "--count", "21", "--width", "72", "--height", "64"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  /// Seven shards.
  std::string config(const std::string& name) const {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() +
                         "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nencoder: {batch_size: 3}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  fs::path run(const std::string& name) const { return scratch_ / ("run-" + name); }
  std::size_t scores(const std::string& name) const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(run(name) / "scores")) ++count;
    return count;
  }

  ScratchFolder scratch_;
};

TEST_F(StopTest, InScoringAndInRankingEndsWithAStatusOfItsOwnAndTheNextRunWithTheSameManifest) {
  const auto calm = run_quasar({"run", config("calm")}, 3);
  ASSERT_EQ(calm.status, 0) << calm.output;
  EXPECT_THAT(calm.output, HasSubstr("score: 7 shards in")) << "of all ranks, not of the first one";

  const auto path = config("stopped");
  const auto at_once = run_quasar({"run", path}, 1, {"QUASAR_TEST_STOP=score:0"});
  EXPECT_EQ(at_once.status, 75) << at_once.output;
  EXPECT_THAT(at_once.output, HasSubstr("continues"));
  EXPECT_EQ(scores("stopped"), 0U);

  const auto scoring = run_quasar({"run", path}, 3, {"QUASAR_TEST_STOP=score:1"});
  EXPECT_EQ(scoring.status, 75) << scoring.output;
  EXPECT_FALSE(fs::exists(run("stopped") / "manifest.csv"));

  const auto ranking = run_quasar({"run", path}, 3, {"QUASAR_TEST_STOP=rank:2"});
  EXPECT_EQ(ranking.status, 75) << ranking.output;
  EXPECT_THAT(ranking.output, HasSubstr("continues"));
  EXPECT_EQ(scores("stopped"), 7U);
  EXPECT_FALSE(fs::exists(run("stopped") / "manifest.csv"));

  const auto rest = run_quasar({"run", path}, 2);
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_EQ(content(run("stopped") / "manifest.csv"), content(run("calm") / "manifest.csv"));
}

}  // namespace
