// Data sets that are asked for more than once, by anchor sets of one run and by several runs: embedded once,
// and never taken for what they are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class ShareTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto made =
        render_scenes(scratch_ / "pictures", {"--count", "9", "--width", "96", "--height", "72"});
    ASSERT_EQ(made.status, 0) << made.output;
    write_text(scratch_ / "pictures" / "broken.png", "no picture");
  }

  fs::path run(const std::string& name) { return scratch_ / name; }
  fs::path place() { return scratch_ / "shared"; }

  std::string config(const std::string& name, const std::string& anchors = "") {
    std::string text =
        "run: " + run(name).string() + "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
        ", shard_size: 4}\nanchors:\n  quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() +
        "\n" + anchors;
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, text);
    return path;
  }
  std::string built(const std::string& name, const std::string& aggregation) {
    return "  " + name + ":\n    corpus: {directory: " + (scratch_ / "pictures").string() +
           ", shard_size: 8}\n    distortions: {kinds: [jpeg, lens_blur], levels: [2, 4]}\n    recipe: "
           "{kind: "
           "full_reference, aggregation: " +
           aggregation + "}\n";
  }
  Outcome run_shared(const std::string& name, int ranks = 2, const std::string& anchors = "") {
    return run_quasar({"run", config(name, anchors), "--set", "embeddings=" + place().string()}, ranks);
  }
  std::vector<fs::path> shared_files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(place())) {
      if (entry.path().extension() == ".h5") files.push_back(entry.path());
    }
    return files;
  }
  void expect_same_results(const std::string& left, const std::string& right) {
    for (const char* file : {"manifest.csv", "manifest.jsonl", "report.html"})
      EXPECT_EQ(content(run(left) / file), content(run(right) / file)) << file;
  }

  ScratchFolder scratch_;
};

TEST_F(ShareTest, TwoAnchorSetsOverTheSamePicturesEmbedThemOnce) {
  const auto outcome =
      run_quasar({"run", config("two", built("mean", "mean") + built("clusters", "clustering, k: 2"))}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("anchors mean: 50 images in"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("anchors clusters: 50 images in")));
  std::size_t sets = 0;
  for (const auto& entry : fs::directory_iterator(run("two") / "data")) sets += entry.is_directory() ? 1 : 0;
  EXPECT_EQ(sets, 1U);
  EXPECT_EQ(run_quasar({"inspect", (run("two") / "anchors" / "clusters.h5").string()}).status, 0);
}

TEST_F(ShareTest, ASecondRunEmbedsNothingAndFindsTheSame) {
  const auto first = run_shared("first", 2, built("mean", "mean"));
  ASSERT_EQ(first.status, 0) << first.output;
  ASSERT_EQ(shared_files().size(), 3U + 7U);
  const auto second = run_shared("second", 3, built("mean", "mean"));
  ASSERT_EQ(second.status, 0) << second.output;
  EXPECT_THAT(second.output, AllOf(HasSubstr("embed: 3 of 3 shards taken over"),
                                   HasSubstr("anchors mean: 7 of 7 shards taken over"),
                                   Not(HasSubstr("info: embed: 10 images in"))));
  expect_same_results("first", "second");
  EXPECT_EQ(run_quasar({"verify", config("second")}, 2).status, 0);
  // A run keeps what it has when the place goes.
  fs::remove_all(place());
  EXPECT_EQ(run_quasar({"rank", config("second", built("mean", "mean"))}).status, 0);
  EXPECT_EQ(run_quasar({"verify", config("second")}, 2).status, 0);
}

TEST_F(ShareTest, APictureThatHasChangedIsEmbeddedAnew) {
  ASSERT_EQ(run_shared("first").status, 0);
  // As many bytes, and a time of writing that tells nothing.
  const auto picture = scratch_ / "pictures" / "scene-0000-pristine.png";
  ASSERT_TRUE(fs::exists(picture));
  const auto written = fs::last_write_time(picture);
  auto bytes = content(picture);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_text(picture, bytes);
  fs::last_write_time(picture, written);
  const auto second = run_shared("second");
  ASSERT_EQ(second.status, 0) << second.output;
  EXPECT_THAT(second.output, AllOf(HasSubstr("2 of 3 shards taken over"),
                                   HasSubstr("scene-0000-pristine.png has other bytes")));
  ASSERT_EQ(run_quasar({"run", config("alone")}, 2).status, 0);
  expect_same_results("second", "alone");
  // What was left for others is now of the new picture; the first run has what it had.
  EXPECT_THAT(run_shared("third").output, HasSubstr("3 of 3 shards taken over"));
  EXPECT_NE(content(run("first") / "manifest.csv"), content(run("second") / "manifest.csv"));
}

TEST_F(ShareTest, APictureThatCanBeReadNowIsEmbeddedAnew) {
  write_text(scratch_ / "list.txt", "pictures/scene-0000-pristine.png\nlate.png\n");
  const auto embed = [&](const std::string& name) {
    const auto path = (scratch_ / "list.yaml").string();
    write_text(path, "run: " + run(name).string() + "\nembeddings: " + place().string() +
                         "\ncorpus: {list: " + (scratch_ / "list.txt").string() + "}\n");
    return run_quasar({"embed", path}, 2);
  };
  ASSERT_EQ(embed("first").status, 0);
  EXPECT_THAT(embed("second").output, HasSubstr("1 of 1 shard taken over"));
  fs::copy_file(scratch_ / "pictures" / "scene-0001-lens_blur-2.png", scratch_ / "late.png");
  const auto third = embed("third");
  EXPECT_EQ(third.status, 0);
  EXPECT_THAT(third.output, AllOf(HasSubstr("late.png has other bytes"), HasSubstr("ok: 2")));
}

TEST_F(ShareTest, ADamagedShardIsNotTakenAndIsReplaced) {
  ASSERT_EQ(run_shared("first").status, 0);
  ASSERT_EQ(run_quasar({"run", config("alone")}, 2).status, 0);
  for (const auto& file : shared_files()) {
    auto bytes = content(file);
    bytes[bytes.size() - 40] = static_cast<char>(bytes[bytes.size() - 40] ^ 1);
    fs::remove(file);
    write_text(file, bytes);
  }
  const auto second = run_shared("second");
  ASSERT_EQ(second.status, 0) << second.output;
  EXPECT_THAT(second.output, AllOf(HasSubstr("is damaged"), HasSubstr("info: embed: 10 images in")));
  expect_same_results("second", "alone");
  EXPECT_THAT(run_shared("third").output, HasSubstr("3 of 3 shards taken over"));
}

TEST_F(ShareTest, OtherSettingsShareNothing) {
  ASSERT_EQ(run_shared("first").status, 0);
  for (const std::string other :
       {"encoder.batch_size=2", "decode.max_side=50", "decode.mode=fast", "embed.store=float16"}) {
    const auto outcome =
        run_quasar({"embed", config("other"), "--set", "embeddings=" + place().string(), "--set", other}, 2);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, Not(HasSubstr("taken over"))) << other;
    fs::remove_all(run("other"));
  }
}

TEST_F(ShareTest, APlaceThatCannotBeWrittenCostsTheSharingAlone) {
  write_text(place(), "no folder");
  const auto outcome = run_shared("first");
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr(place().string()));
}

}  // namespace
