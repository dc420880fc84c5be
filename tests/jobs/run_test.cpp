// The main job as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "halted_rank.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

/// Rendered pictures, some of them broken, for all tests of this program.
class RunTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    const auto outcome =
        run_quasar({"scenes", pictures(), "--count", "30", "--width", "160", "--height", "120"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const auto first = content(*fs::directory_iterator(pictures()));
    write_text(fs::path(pictures()) / "empty.png", "");
    write_text(fs::path(pictures()) / "cut.png", first.substr(0, first.size() / 2));
    write_text(fs::path(pictures()) / "text.jpg", "this is no picture");
    write_text(fs::path(pictures()) / "notes.txt", "left out");
    const auto good =
        run_quasar({"scenes", anchor_pictures(), "--count", "1", "--width", "128", "--height", "128"});
    ASSERT_EQ(good.status, 0) << good.output;
    for (int i = 0; i < 4; ++i) {
      const auto more = run_quasar({"scenes", (*scratch_ / "more").string(), "--count", "1", "--width", "128",
                                    "--height", "128", "--seed", std::to_string(100 + i)});
      ASSERT_EQ(more.status, 0) << more.output;
      fs::rename(*fs::directory_iterator(*scratch_ / "more"),
                 fs::path(anchor_pictures()) / ("good" + std::to_string(i) + ".png"));
    }
  }
  static void TearDownTestSuite() {
    delete scratch_;
    scratch_ = nullptr;
  }

  static std::string pictures() { return (*scratch_ / "pictures").string(); }
  static std::string anchor_pictures() { return (*scratch_ / "good").string(); }

  /// A configuration file for a run directory of its own; `changes` replace or add top-level sections.
  static std::string config(const std::string& name, const std::string& anchors = shipped(),
                            const std::string& rest = "curation: {keep: {top_fraction: 0.5}}\n") {
    auto path = (*scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() + "\ncorpus: {directory: " + pictures() +
                         ", shard_size: 5}\nencoder: {batch_size: 4}\nanchors:\n" + anchors + rest);
    return path;
  }
  static fs::path run(const std::string& name) { return *scratch_ / ("run-" + name); }
  static std::string shipped() {
    return "  quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "\n";
  }
  static std::string built() {
    return "  quality:\n    corpus: {directory: " + anchor_pictures() +
           ", shard_size: 7}\n    distortions: {kinds: [jpeg, white_noise, gaussian_blur], levels: [3, 5]}\n"
           "    recipe: {aggregation: clustering, k: 2}\n";
  }
  static std::map<std::string, std::string> results(const std::string& name) {
    std::map<std::string, std::string> files;
    for (const char* file : {"manifest.csv", "manifest.jsonl", "report.html"})
      files[file] = content(run(name) / file);
    return files;
  }

  static ScratchFolder* scratch_;
};

ScratchFolder* RunTest::scratch_ = nullptr;

TEST_F(RunTest, CountsAddUpAndEveryFileHasARow) {
  const auto outcome = run_quasar({"run", config("counts")});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto summary = nlohmann::json::parse(content(run("counts") / "summary.json"));
  EXPECT_EQ(summary["rows"], 33);
  EXPECT_EQ(summary["scored"], 30);
  EXPECT_EQ(summary["failed"], 3);
  EXPECT_EQ(summary["kept"], 15);
  EXPECT_EQ(summary["by_status"]["empty"], 1);
  EXPECT_EQ(summary["by_status"]["decode_failed"], 1);
  EXPECT_EQ(summary["by_status"]["unknown_format"], 1);
  const auto manifest = content(run("counts") / "manifest.csv");
  EXPECT_EQ(std::count(manifest.begin(), manifest.end(), '\n'), 34);
  for (const char* id : {"empty.png", "cut.png", "text.jpg", "scene-0000"})
    EXPECT_THAT(manifest, HasSubstr(id));
  EXPECT_THAT(manifest, testing::Not(HasSubstr("notes.txt")));
  EXPECT_THAT(outcome.output, HasSubstr("left out"));
}

TEST_F(RunTest, PicturesOfWhichAPartIsKeptAreScoredWithAnchorsOfWholeOnes) {
  const auto outcome = run_quasar({"run", config("kept"), "--set", "decode.truncated=keep"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto summary = nlohmann::json::parse(content(run("kept") / "summary.json"));
  EXPECT_EQ(summary["scored"], 31);
  EXPECT_EQ(summary["failed"], 2);
  // What the whole ones get is what they get without the half of one.
  ASSERT_EQ(run_quasar({"run", config("dropped")}).status, 0);
  const auto scores_of = [](const fs::path& manifest) {
    std::map<std::string, double> scores;
    std::istringstream lines(content(manifest));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      if (row["status"] == "ok") scores[row["id"]] = row["quality"];
    }
    return scores;
  };
  auto kept = scores_of(run("kept") / "manifest.jsonl");
  EXPECT_EQ(kept.erase("cut.png"), 1U);
  EXPECT_EQ(kept, scores_of(run("dropped") / "manifest.jsonl"));
  const auto changed = run_quasar({"run", config("dropped"), "--set", "decode.truncated=keep"});
  EXPECT_EQ(changed.status, 6) << changed.output;
  EXPECT_THAT(changed.output, HasSubstr("truncated kept"));
}

TEST_F(RunTest, ManifestsAndAnchorsAreByteIdenticalOnOneToFourRanks) {
  const auto alone = run_quasar({"run", config("r0", built())});
  ASSERT_EQ(alone.status, 0) << alone.output;
  for (int ranks = 1; ranks <= 4; ++ranks) {
    const std::string name = "r" + std::to_string(ranks);
    const auto outcome = run_quasar({"run", config(name, built())}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(results(name), results("r0")) << ranks << " ranks";
    // Compared as a whole: what differs between binary files is not fit for a log.
    for (const char* file : {"anchors/quality.h5", "embeddings/shard-000001.h5", "scores/shard-000001.h5"}) {
      EXPECT_TRUE(content(run(name) / file) == content(run("r0") / file))
          << file << ", " << ranks << " ranks";
    }
  }
}

TEST_F(RunTest, ThreadsAndBatchesInFlightDoNotChangeResults) {
  ASSERT_EQ(run_quasar({"run", config("t1"), "--set", "embed.decode_threads=1", "--set",
                        "embed.encode_threads=1", "--set", "embed.batches_in_flight=1"})
                .status,
            0);
  ASSERT_EQ(
      run_quasar({"run", config("t5"), "--set", "embed.decode_threads=5", "--set", "embed.encode_threads=3"})
          .status,
      0);
  EXPECT_EQ(results("t1"), results("t5"));
}

TEST_F(RunTest, ASecondRunEmbedsNothing) {
  const auto path = config("again");
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto before = results("again");
  const auto stamp = fs::last_write_time(run("again") / "embeddings" / "shard-000000.h5");
  const auto outcome = run_quasar({"run", path}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(fs::last_write_time(run("again") / "embeddings" / "shard-000000.h5"), stamp);
  EXPECT_EQ(results("again"), before);
}

TEST_F(RunTest, ScoringWithOtherAnchorsNeverTouchesAnImage) {
  const auto moved = pictures() + "-moved";
  const auto path = config("rescore", built());
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto before = results("rescore");
  fs::rename(pictures(), moved);
  const auto other = config("rescore", shipped());
  const auto scored = run_quasar({"score", other});
  const auto ranked = run_quasar({"rank", other});
  fs::rename(moved, pictures());
  EXPECT_EQ(scored.status, 0) << scored.output;
  EXPECT_EQ(ranked.status, 0) << ranked.output;
  EXPECT_NE(results("rescore"), before);
}

TEST_F(RunTest, ScoringByAnchorFilesNeedsNoEncoder) {
  // The weights under a name of the test's own, to be taken away.
  const auto weights = *scratch_ / "own.safetensors";
  fs::copy_file(source_dir() / "anchors" / "mini.safetensors", weights, fs::copy_options::overwrite_existing);
  const auto path = config("weightless");
  const std::vector<std::string> set = {"--set", "encoder.weights=" + weights.string()};
  ASSERT_EQ(run_quasar({"run", path, set[0], set[1]}).status, 0);
  const auto before = results("weightless");
  fs::remove(weights);
  for (const char* folder : {"scores", "manifest.csv"}) fs::remove_all(run("weightless") / folder);
  const auto scored = run_quasar({"score", path, set[0], set[1]}, 2);
  EXPECT_EQ(scored.status, 0) << scored.output;
  const auto ranked = run_quasar({"rank", path, set[0], set[1]}, 2);
  EXPECT_EQ(ranked.status, 0) << ranked.output;
  EXPECT_EQ(results("weightless"), before);
  // Anchors that have to be built need it, and embedding does.
  const auto build = run_quasar({"score", config("weightless", built()), set[0], set[1]}, 2);
  EXPECT_EQ(build.status, 4) << build.output;
  EXPECT_THAT(build.output, HasSubstr(weights.string()));
  const auto embed = run_quasar({"run", config("weightless"), set[0], set[1]});
  EXPECT_EQ(embed.status, 3) << embed.output;
  EXPECT_THAT(embed.output, HasSubstr(weights.string()));
}

TEST_F(RunTest, RankingRefusesScoresByOtherAnchorsThanTheConfiguredOnes) {
  const auto path = config("renamed", built());
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto before = results("renamed");
  // Another file under the same name.
  const auto other = config("renamed", shipped());
  const auto refused = run_quasar({"rank", other}, 2);
  EXPECT_EQ(refused.status, 6) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("shard-000000.h5 was scored by other anchors \"quality\""));
  EXPECT_THAT(refused.output, HasSubstr("mini-quality.h5"));
  EXPECT_THAT(refused.output, HasSubstr("quasar score"));
  // Another recipe for the set that is built.
  config("renamed", built());
  const auto changed = run_quasar({"rank", path, "--set", "anchors.quality.recipe.k=1"}, 2);
  EXPECT_EQ(changed.status, 6) << changed.output;
  EXPECT_THAT(changed.output, HasSubstr("another recipe"));
  EXPECT_THAT(changed.output, HasSubstr("k: 2"));
  EXPECT_THAT(changed.output, HasSubstr("k: 1"));
  EXPECT_EQ(results("renamed"), before);
  const auto same = run_quasar({"rank", path}, 2);
  EXPECT_EQ(same.status, 0) << same.output;
  ASSERT_EQ(run_quasar({"score", config("renamed", shipped())}).status, 0);
  EXPECT_EQ(run_quasar({"rank", path}).status, 0);
  EXPECT_NE(results("renamed"), before);
}

TEST_F(RunTest, SeveralAnchorSetsGiveColumnsAndACombinedScore) {
  const auto path = config("several",
                           shipped() + "  texture:\n    corpus: {directory: " + anchor_pictures() +
                               "}\n    distortions: {kinds: [jpeg]}\n    recipe: {}\n",
                           "curation: {weights: {quality: 2, texture: 1}, keep: {top_k: 4}}\n");
  const auto outcome = run_quasar({"run", path}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::ifstream manifest(run("several") / "manifest.jsonl");
  std::string line;
  int kept = 0;
  while (std::getline(manifest, line)) {
    const auto row = nlohmann::json::parse(line);
    if (row["status"] != "ok") continue;
    const double combined = (2 * row["quality"].get<double>() + row["texture"].get<double>()) / 3;
    EXPECT_NEAR(row["combined"].get<double>(), combined, 1e-6);
    if (row["keep"].get<bool>()) ++kept;
  }
  EXPECT_EQ(kept, 4);
}

TEST_F(RunTest, StopsOnSigtermAndContinuesToTheSameResult) {
  ASSERT_EQ(run_quasar({"run", config("calm")}).status, 0);
  const auto path = config("stopped");
  const auto [program, halted] = start_halted({"run", path}, path, 2, "embed", 1);
  ASSERT_GT(halted, 0) << program->wait().output;
  for (const pid_t rank : ranks_of(path)) ::kill(rank, SIGTERM);
  ::kill(halted, SIGCONT);
  const auto outcome = program->wait();
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("continues"));
  EXPECT_FALSE(fs::exists(run("stopped") / "manifest.csv"));
  const auto rest = run_quasar({"run", path}, 3);
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_EQ(results("stopped"), results("calm"));
}

TEST_F(RunTest, AnotherConfigurationOfARunIsRefusedByKey) {
  const auto path = config("frozen");
  ASSERT_EQ(run_quasar({"embed", path}).status, 0);
  const auto outcome = run_quasar(
      {"run", path, "--set", "encoder.batch_size=8", "--set", "decode.honour_orientation=true"}, 2);
  EXPECT_EQ(outcome.status, 6) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("encoder.batch_size"));
  EXPECT_THAT(outcome.output, HasSubstr("decode.honour_orientation"));
}

TEST_F(RunTest, H5pyReadsEverything) {
  const auto path = config("python");
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto script = (*scratch_ / "check.py").string();
  write_text(script, R"(
import h5py, numpy, sys
run = sys.argv[1]
whole = h5py.File(run + '/embeddings.h5')
assert whole['embedding'].shape == (33, 64), whole['embedding'].shape
assert whole['id'].asstr()[0] == 'cut.png', whole['id'].asstr()[0]
status = whole['status']
names = h5py.check_enum_dtype(status.dtype)
failed = numpy.array(status) != names['ok']
assert failed.sum() == 3
assert numpy.isnan(whole['embedding'][:][failed]).all()
assert numpy.isfinite(whole['embedding'][:][~failed]).all()
shard = h5py.File(run + '/embeddings/shard-000000.h5')
for name in ['embedding', 'id', 'status', 'error', 'width', 'height', 'bytes', 'hash', 'source', 'label']:
    assert len(shard[name]) == 5, name
for name in ['schema_version', 'software_version', 'encoder_architecture', 'encoder_weights_sha256', 'plan_fingerprint']:
    assert name in shard.attrs, name
scores = h5py.File(run + '/scores/shard-000000.h5')
assert scores['score/quality'].shape == (5,)
print('fine')
)");
  const auto log = (*scratch_ / "check.log").string();
  // The first python3 on the path may be another than Debian's, which has the packages of tools/setup.
  const std::string python =
      std::system("python3 -c 'import h5py' 2> /dev/null") == 0 ? "python3 " : "/usr/bin/python3 ";
  const int status =
      std::system((python + script + " " + run("python").string() + " > " + log + " 2>&1").c_str());
  EXPECT_EQ(status, 0) << content(log);
}

TEST_F(RunTest, InspectAndPlanDescribeWithoutDoing) {
  const auto path = config("described");
  const auto planned = run_quasar({"plan", path});
  EXPECT_EQ(planned.status, 0) << planned.output;
  EXPECT_THAT(planned.output, HasSubstr("33"));
  EXPECT_THAT(planned.output, HasSubstr("mini"));
  EXPECT_FALSE(fs::exists(run("described")));
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto shard = run_quasar({"inspect", (run("described") / "embeddings" / "shard-000000.h5").string()});
  EXPECT_EQ(shard.status, 0);
  EXPECT_THAT(shard.output, HasSubstr("plan_fingerprint"));
  EXPECT_THAT(shard.output, HasSubstr("cut.png"));
  const auto anchors = run_quasar({"inspect", (source_dir() / "anchors" / "mini-quality.h5").string()});
  EXPECT_THAT(anchors.output, HasSubstr("recipe"));
}

TEST_F(RunTest, VersionNamesEveryLibrary) {
  const auto outcome = run_quasar({"--version"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* name : {"quasar 0", "LibTorch", "MPI", "HDF5", "FAISS", "libvips", "BLAS", "CUDA"}) {
    EXPECT_THAT(outcome.output, HasSubstr(name));
  }
}

TEST_F(RunTest, PhotosGiveByteIdenticalManifestsOnOneToFourRanks) {
  const auto photos = shared_data() / "data" / "photos" / "bsds500" / "val";
  QUASAR_REQUIRE_DATA(photos);
  for (int ranks = 1; ranks <= 4; ++ranks) {
    const std::string name = "photos" + std::to_string(ranks);
    const auto path = config(name);
    const auto outcome = run_quasar(
        {"run", path, "--set", "corpus.directory=" + photos.string(), "--set", "corpus.shard_size=9"}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(results(name), results("photos1")) << ranks << " ranks";
  }
}

}  // namespace
