// A signal while the encoder is loaded or slow, while scores are made or ranked: a clean stop of all ranks,
// from which the same command continues.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

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
  static std::size_t files(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }
  std::size_t scores(const std::string& name) const { return files(run(name) / "scores"); }

  ScratchFolder scratch_;
};

TEST_F(StopTest, WhileTheEncoderIsLoadedLeavesNothingBehind) {
  const auto path = config("early");
  const auto outcome = run_quasar({"run", path}, 2, {"QUASAR_TEST_STOP=encoder:1"});
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  EXPECT_FALSE(fs::exists(run("early") / "plan.json")) << outcome.output;
}

TEST_F(StopTest, InASlowEncoderWaitsForTheBatchInHandAloneSaysSoAndKeepsItsShard) {
  const auto arguments = [&](const std::string& name) {
    // A picture is a batch, as mini takes any shape, and a shard: those that are finished show what was
    // encoded.
    return std::vector<std::string>{"run",   config(name),
                                    "--set", "corpus.shard_size=1",
                                    "--set", "embed.decode_threads=1",
                                    "--set", "embed.encode_threads=1"};
  };
  const auto release = scratch_ / "release";
  // With one picture being encoded and the fourth being decoded, two wait for the encoder.
  Program program(arguments("slow"), 0, {"QUASAR_TEST_SLOW=4:" + release.string()});
  while (program.running() && program.output().find("stopping: ") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_THAT(program.output(),
              testing::ContainsRegex("stopping: waiting for \"embed: encoding [^ ]+ for [0-9.]+ s\""));
  EXPECT_EQ(files(run("slow") / "embeddings"), 0U);
  write_text(release, "");
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("continues"));
  EXPECT_EQ(files(run("slow") / "embeddings"), 1U) << "of the batch in hand, not of those that waited";

  const auto rest = run_quasar(arguments("slow"));
  ASSERT_EQ(rest.status, 0) << rest.output;
  const auto calm = run_quasar(arguments("calm"));
  ASSERT_EQ(calm.status, 0) << calm.output;
  EXPECT_EQ(content(run("slow") / "manifest.csv"), content(run("calm") / "manifest.csv"));
}

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
