// `quasar verify` as a user runs it: sound runs pass, each kind of damage is found and named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto made =
        render_scenes(scratch_ / "pictures", {"--count", "13", "--width", "96", "--height", "72"});
    ASSERT_EQ(made.status, 0) << made.output;
    write_text(scratch_ / "pictures" / "broken.png", "no picture");
    config_ = (scratch_ / "config.yaml").string();
    write_text(config_, "run: " + run().string() +
                            "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                            ", shard_size: 5}\nencoder: {batch_size: 3}\n");
  }
  fs::path run() { return scratch_ / "run"; }
  fs::path shard() { return run() / "embeddings" / "shard-000001.h5"; }
  void embed(const std::string& store = "float32") {
    config_store_ = "embed.store=" + store;
    const auto outcome = run_quasar({"embed", config_, "--set", config_store_}, 2);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  Outcome verify(int ranks, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"verify", config_, "--set", config_store_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_quasar(arguments, ranks);
  }
  ScratchFolder scratch_;
  std::string config_;
  std::string config_store_;
};

TEST_F(VerifyTest, ASoundRunIsExactInBothStorageTypesAndOnAnyRanks) {
  for (const std::string store : {"float32", "float16"}) {
    embed(store);
    for (const int ranks : {0, 3}) {
      const auto outcome = verify(ranks);
      EXPECT_EQ(outcome.status, 0) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr("3 shards"));
      EXPECT_THAT(outcome.output, HasSubstr("13 rows recomputed, largest difference 0 "));
    }
    fs::remove_all(run());
  }
}

TEST_F(VerifyTest, AShardWithAChangedByteIsNamed) {
  embed();
  auto bytes = content(shard());
  const auto place = bytes.find("scene-0006");
  ASSERT_NE(place, std::string::npos);
  bytes[place + 8] = '9';
  write_text(shard(), bytes);
  const auto outcome = verify(2, {"--sample", "0"});
  EXPECT_EQ(outcome.status, 9) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("shard-000001.h5 is damaged"));
  EXPECT_THAT(outcome.output, testing::Not(HasSubstr("shard-000000.h5")));
}

TEST_F(VerifyTest, AChangedScoreIsNamedAndScoredAgain) {
  embed();
  const std::vector<std::string> more = {
      "--set", config_store_, "--set",
      "anchors.quality=" + (source_dir() / "anchors" / "mini-quality.h5").string()};
  const auto step = [&](const std::string& name) {
    std::vector<std::string> arguments = {name, config_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_quasar(arguments, 2);
  };
  ASSERT_EQ(step("score").status, 0);
  ASSERT_EQ(step("rank").status, 0);
  const auto manifest = content(run() / "manifest.csv");
  const auto scores = run() / "scores" / "shard-000001.h5";
  const auto sound = content(scores);
  auto bytes = sound;
  bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 0x40);
  write_text(scores, bytes);
  const auto outcome = verify(2, {"--sample", "0"});
  EXPECT_EQ(outcome.status, 9) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("scores/shard-000001.h5 is damaged"));
  ASSERT_EQ(step("score").status, 0);
  EXPECT_TRUE(content(scores) == sound);
  ASSERT_EQ(step("rank").status, 0);
  EXPECT_TRUE(content(run() / "manifest.csv") == manifest);
  EXPECT_EQ(verify(2, {"--sample", "0"}).status, 0);
}

TEST_F(VerifyTest, AChangedImageIsNamedByRow) {
  embed();
  const auto name = std::string("scene-0006-pristine.png");
  fs::copy_file(scratch_ / "pictures" / "scene-0009-pristine.png", scratch_ / "pictures" / name,
                fs::copy_options::overwrite_existing);
  const auto outcome = verify(2);
  EXPECT_EQ(outcome.status, 9) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr(name + ": the image's bytes have changed"));
  EXPECT_THAT(outcome.output, testing::Not(HasSubstr("scene-0009")));
  fs::remove(scratch_ / "pictures" / name);
  EXPECT_THAT(verify(0).output, HasSubstr(name + ": the image cannot be read"));
}

TEST_F(VerifyTest, TheSampleIsDrawnByTheSeedAndIsAsLargeAsAskedFor) {
  embed();
  // Whatever row is drawn, its image is gone.
  for (const auto& entry : fs::directory_iterator(scratch_ / "pictures")) fs::remove(entry.path());
  const auto once = verify(0, {"--sample", "4", "--seed", "5"});
  const auto again = verify(2, {"--sample", "4", "--seed", "5"});
  const auto other = verify(0, {"--sample", "4", "--seed", "6"});
  EXPECT_EQ(once.status, 9);
  const auto named = [](const Outcome& outcome) {
    return outcome.output.substr(outcome.output.find("quasar: "));
  };
  EXPECT_THAT(named(once), HasSubstr("4 of what is stored"));
  EXPECT_EQ(named(once).substr(0, named(once).find("\nA damaged")),
            named(again).substr(0, named(again).find("\nA damaged")));
  EXPECT_NE(named(once), named(other));
}

TEST_F(VerifyTest, RefusesWhatCannotBeCompared) {
  EXPECT_EQ(run_quasar({"verify", config_}).status, 4);
  EXPECT_FALSE(fs::exists(run()));
  embed();
  const auto outcome = verify(2, {"--set", "encoder.batch_size=4"});
  EXPECT_EQ(outcome.status, 6) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("encoder.batch_size"));
}

TEST_F(VerifyTest, OptionsThatAreNoSuchNumbersAreUsageErrors) {
  for (const char* option :
       {"--sample=-1", "--sample=1.5", "--seed=-1", "--tolerance=nan", "--tolerance=-1", "--tolerance=inf"}) {
    const auto outcome = run_quasar({"verify", config_, option});
    EXPECT_EQ(outcome.status, 2) << option << ": " << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("of 0 or more"));
  }
}

}  // namespace
