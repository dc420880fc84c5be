// What a wrong input leads to: one clear paragraph, an exit status of its kind, on any number of ranks, and
// soon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "program.h"
#include "store/anchor_file.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class BadInputTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const auto outcome =
        render_scenes(scratch_ / "pictures", {"--count", "3", "--width", "96", "--height", "96"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  std::string config(const std::string& text) {
    auto path = (scratch_ / "config.yaml").string();
    write_text(path, text);
    return path;
  }
  std::string good(const std::string& extra = "") {
    return "run: " + (scratch_ / "run").string() +
           "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
           "}\nanchors: {quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n" + extra;
  }
  /// Runs and expects a status, words, and nothing that looks like a crash.
  void expect(const std::vector<std::string>& arguments, int status, const std::vector<std::string>& words) {
    const auto outcome = run_quasar(arguments, GetParam());
    EXPECT_EQ(outcome.status, status) << outcome.output;
    for (const auto& word : words) EXPECT_THAT(outcome.output, HasSubstr(word));
    for (const char* crash : {"terminate called", "Segmentation", "core dumped", "libtorch", "backtrace"}) {
      EXPECT_THAT(outcome.output, testing::Not(HasSubstr(crash)));
    }
  }

  ScratchFolder scratch_;
};

INSTANTIATE_TEST_SUITE_P(Ranks, BadInputTest, testing::Values(0, 2));

TEST_P(BadInputTest, MissingConfig) {
  expect({"run", (scratch_ / "none.yaml").string()}, 4, {"none.yaml"});
}

TEST_P(BadInputTest, WrongKeyNamesTheNearest) {
  expect({"run", config(good("decode: {max_pixel: 3}\n"))}, 3, {"config.yaml:4:", "max_pixel", "max_pixels"});
}

TEST_P(BadInputTest, WrongType) {
  expect({"run", config(good("decode: {max_pixels: many}\n"))}, 3, {"decode.max_pixels", "many"});
}

TEST_P(BadInputTest, ImpossibleValue) {
  expect({"run", config(good("encoder: {batch_size: 0}\n"))}, 3, {"encoder.batch_size"});
}

TEST_P(BadInputTest, WrongOverride) {
  expect({"run", config(good()), "--set", "encoder.batchsize=3"}, 3, {"batchsize", "batch_size"});
}

TEST_P(BadInputTest, MissingCorpus) {
  expect({"run", config("run: x\ncorpus: {directory: " + (scratch_ / "none").string() + "}\n")}, 3,
         {"corpus.directory"});
}

TEST_P(BadInputTest, WeightsThatAreNot) {
  write_text(scratch_ / "weights.pt", "these are no weights at all, whatever their name says");
  expect({"run", config(good("encoder: {weights: " + (scratch_ / "weights.pt").string() + "}\n"))}, 4,
         {"weights.pt"});
}

TEST_P(BadInputTest, WeightsOfAnotherNetwork) {
  expect({"run", config(good("encoder: {architecture: vit-l-14, weights: " +
                             (source_dir() / "anchors" / "mini.safetensors").string() + "}\n"))},
         4, {"mini.safetensors", "missing"});
}

TEST_P(BadInputTest, MissingAnchorFile) {
  expect({"run", config(good("")), "--set", "anchors.quality=none.h5"}, 4, {"none.h5"});
}

TEST_P(BadInputTest, AnchorFileThatIsNone) {
  write_text(scratch_ / "false.h5", "no HDF5");
  expect({"run", config(good("")), "--set", "anchors.quality=" + (scratch_ / "false.h5").string()}, 4,
         {"false.h5"});
  EXPECT_FALSE(fs::exists(scratch_ / "run" / "embeddings"))
      << "this should be known before anything is embedded";
}

TEST_P(BadInputTest, AnchorsOfAnotherEncoder) {
  // Other preprocessing makes another encoder of the same weights.
  expect({"run", config(good("encoder: {input: {resize: shorter_side, size: 96}}\n"))}, 6,
         {"another encoder", "quality", "96"});
  EXPECT_FALSE(fs::exists(scratch_ / "run" / "embeddings"))
      << "this should be known before anything is embedded";
}

TEST_P(BadInputTest, AnchorsWithoutADirectionAreNamedBeforeTheFirstImage) {
  auto set = quasar::store::read_anchor_file(source_dir() / "anchors" / "mini-quality.h5");
  std::fill(set.bad.begin(), set.bad.end(), 0.0F);
  quasar::store::write_anchor_file(scratch_ / "zero.h5", set);
  const auto file = (scratch_ / "zero.h5").string();
  expect({"run", config(good("")), "--set", "anchors.quality=" + file}, 4, {"bad side", "\"quality\"", file});
  EXPECT_FALSE(fs::exists(scratch_ / "run" / "embeddings"));
}

TEST_P(BadInputTest, NamesThatTheConfigurationGetsWrongAreKnownBeforeTheFirstImage) {
  const auto path = config(good("curation:\n  rank_by: qualty\n"));
  expect({"run", path}, 3, {"config.yaml:5:3: curation.rank_by", "did you mean 'quality'?"});
  for (const std::string command : {"run", "anchors", "score", "rank"}) {
    expect({command, path, "--set", "anchors={}", "--set", "curation={}"}, 3, {"anchors", "no anchor set"});
  }
  const std::string pictures = (scratch_ / "pictures").string();
  expect({"run", config(good()), "--set",
          "anchors={../../evil: {corpus: {directory: " + pictures +
              "}, distortions: {kinds: [jpeg], levels: [4]}, recipe: {kind: full_reference}}}"},
         3, {"'../../evil'", "'/'"});
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
  EXPECT_FALSE(fs::exists(scratch_.path().parent_path() / "evil"));
}

TEST_P(BadInputTest, RunDirectoryOfAnotherPlan) {
  const auto path = config(good());
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  fs::remove(*fs::directory_iterator(scratch_ / "pictures"));
  expect({"run", path}, 6, {"pictures"});
}

TEST_P(BadInputTest, UnwritableRunDirectory) {
  write_text(scratch_ / "file", "in the way");
  expect({"run", config(good()), "--set", "run=" + (scratch_ / "file" / "run").string()}, 5, {"file"});
}

TEST_P(BadInputTest, ZeroImages) {
  fs::create_directories(scratch_ / "nothing");
  expect({"run", config(good()), "--set", "corpus.directory=" + (scratch_ / "nothing").string()}, 4,
         {"no image"});
}

TEST_P(BadInputTest, AllImagesBroken) {
  fs::create_directories(scratch_ / "broken");
  for (const char* name : {"a.jpg", "b.png"}) write_text(scratch_ / "broken" / name, "not a picture");
  expect({"run", config(good()), "--set", "corpus.directory=" + (scratch_ / "broken").string()}, 8,
         {"unknown_format", "manifest"});
  EXPECT_TRUE(fs::exists(scratch_ / "run" / "manifest.csv"));
}

TEST_P(BadInputTest, DeviceThatIsNotThere) {
  const auto outcome = run_quasar({"run", config(good("encoder: {device: \"cuda:63\"}\n"))}, GetParam());
  EXPECT_EQ(outcome.status, 7) << outcome.output;
}

TEST_P(BadInputTest, UnknownSubcommand) {
  expect({"ruin"}, 2, {"ruin", "did you mean \"run\"?"});
  expect({}, 2, {"subcommand is required"});
}

TEST_P(BadInputTest, InspectOfAFileThatIsNotOurs) {
  write_text(scratch_ / "x.h5", "nothing");
  expect({"inspect", (scratch_ / "x.h5").string()}, 4, {"x.h5"});
}

TEST_P(BadInputTest, APathThatCannotBeLookedAtIsAnInputErrorWithItsReason) {
  const std::string name(300, 'n');
  const std::string reason = "File name too long";
  expect({"run", name + ".yaml"}, 4, {reason});
  expect({"status", name}, 4, {reason});
  for (const std::string key : {"corpus.directory", "encoder.weights", "anchors.quality", "run"}) {
    expect({"run", config(good()), "--set", key + "=" + name}, 4, {reason});
  }
}

TEST_P(BadInputTest, AConfigurationThatIsADirectory) {
  expect({"run", scratch_.path().string()}, 4, {scratch_.path().string() + " is a directory"});
}

TEST_P(BadInputTest, TwoDocumentsInOneConfiguration) {
  expect({"run", config(good() + "---\ncuration: {keep: {top_k: 1}}\n")}, 3,
         {"config.yaml:5:1", "second document"});
}

TEST_P(BadInputTest, RankingBeforeScoringSaysWhatComesFirst) {
  const auto path = config(good());
  ASSERT_EQ(run_quasar({"embed", path}).status, 0);
  expect({"rank", path}, 4, {"shard-000000.h5 is missing: run \"quasar score\" first"});
}

TEST_P(BadInputTest, AFailedStartSettlesNothing) {
  write_text(scratch_ / "weights.pt", "these are no weights at all, whatever their name says");
  const auto path = config(good());
  expect({"run", path, "--set", "encoder.weights=" + (scratch_ / "weights.pt").string(), "--set",
          "encoder.batch_size=7"},
         4, {"weights.pt"});
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
  expect({"run", path}, 0, {"the ranked manifest is"});
}

TEST_P(BadInputTest, PlanRefusesWhatARunWouldAndWritesNothing) {
  const auto path = config(good());
  const auto run = scratch_ / "run";
  expect({"plan", path, "--set", "anchors.quality=" + path}, 4, {path});
  fs::create_directories(scratch_ / "nothing");
  expect({"plan", path, "--set", "corpus.directory=" + (scratch_ / "nothing").string()}, 4, {"no image"});
  EXPECT_FALSE(fs::exists(run));
  ASSERT_EQ(run_quasar({"embed", path}).status, 0);
  const auto before = fs::last_write_time(run / "config.yaml");
  expect({"plan", path}, 0, {"done already   1 of 1 shards, 3 of 3 images"});
  expect({"plan", path, "--set", "decode.mode=fast"}, 6, {"decode.mode"});
  expect({"plan", path, "--set", "anchors={}"}, 0, {"anchors        none"});
  EXPECT_EQ(fs::last_write_time(run / "config.yaml"), before);
  fs::remove(*fs::directory_iterator(scratch_ / "pictures"));
  expect({"plan", path}, 6, {"pictures"});
}

}  // namespace
