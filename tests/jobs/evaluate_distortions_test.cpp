// quasar evaluate --distortions as a user meets it: what it refuses, what it says it takes, what it measures,
// and how it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class EvaluateDistortions : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = render_scenes(photos(), {"--count", "3", "--width", "72", "--height", "64"});
    ASSERT_EQ(made.status, 0) << made.output;
    write_config("run");
  }
  fs::path photos() const { return scratch_ / "photos"; }
  fs::path run(const std::string& name = "run") const { return scratch_ / name; }
  fs::path json_file() const { return scratch_ / "out.json"; }
  std::string config(const std::string& name = "run") const { return (scratch_ / (name + ".yaml")).string(); }
  /// A configuration named after its run directory; `more` stands at its end.
  void write_config(const std::string& name, const std::string& more = {}) const {
    write_text(config(name), "run: " + run(name).string() +
                                 "\ncorpus: {directory: nowhere}\nanchors:\n  quality: " +
                                 (source_dir() / "anchors" / "mini-quality.h5").string() + "\n" + more);
  }
  std::vector<std::string> words(const std::vector<std::string>& more,
                                 const std::string& name = "run") const {
    std::vector<std::string> all = {"evaluate",        config(name), "--distortions",
                                    photos().string(), "--json",     json_file().string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome measure(const std::vector<std::string>& more, int ranks = 0,
                  const std::string& name = "run") const {
    return run_quasar(words(more, name), ranks);
  }
  bool has_begun() const { return fs::exists(run() / "data"); }
  json written() const { return json::parse(content(json_file())); }

  ScratchFolder scratch_;
};

TEST_F(EvaluateDistortions, RefusesAnchorsOfAnotherEncoderBeforeItEmbeds) {
  for (const int ranks : {0, 2}) {
    // Another way of decoding makes other embeddings.
    const auto outcome = measure({"--set", "decode.mode=fast"}, ranks);
    EXPECT_EQ(outcome.status, 6) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("belongs to another encoder"));
    EXPECT_FALSE(has_begun());
  }
}

TEST_F(EvaluateDistortions, RefusesWhatDoesNotGoTogetherBeforeItEmbeds) {
  const auto set = measure({"--anchors", "quallity"});
  EXPECT_EQ(set.status, 2) << set.output;
  EXPECT_THAT(set.output, HasSubstr("no set quallity; did you mean \"quality\"?"));
  const auto kind = measure({"--unseen", "motion_blurr"});
  EXPECT_EQ(kind.status, 2) << kind.output;
  EXPECT_THAT(kind.output, HasSubstr("--unseen: there is no distortion \"motion_blurr\"; did you mean "
                                     "\"motion_blur\"? There are: gaussian_blur, "));
  for (const std::vector<std::string>& other :
       {std::vector<std::string>{"--html", "page.html"}, {"--group", "kind"}, {"--score", "quality"}}) {
    const auto outcome = measure(other);
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("--distortions"), HasSubstr(other.front())));
  }
  const auto alone = run_quasar({"evaluate", config(), "--baselines"});
  EXPECT_EQ(alone.status, 2) << alone.output;
  EXPECT_THAT(alone.output, HasSubstr("--baselines requires --distortions"));
  write_config("run", "  jpeg_bytes: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "\n");
  const auto name = measure({"--baselines"});
  EXPECT_EQ(name.status, 3) << name.output;
  EXPECT_THAT(name.output, HasSubstr("the set needs another name"));
  EXPECT_FALSE(has_begun());
}

TEST_F(EvaluateDistortions, TheFormerCommandNamesThisOne) {
  const auto outcome = run_quasar({"agreement", config(), "--photos", photos().string()});
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("quasar evaluate CONFIG --distortions FOLDER"));
}

TEST_F(EvaluateDistortions, MeasuresTheSameOnAnyNumberOfRanksAndSaysBeforeWhatItTakes) {
  const auto outcome = measure({"--photos", "2", "--unseen", "motion_blur,pixelate"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("2 of 3 photos"), HasSubstr("25 kinds x 5 levels of copies: 252 pictures"),
                    HasSubstr("distortions: 0 of 252 pictures are there already; 252 to go through mini"),
                    HasSubstr("63.0 KiB of vectors on disk")));
  EXPECT_LT(outcome.output.find("to go through mini"), outcome.output.find("252/252"))
      << "said before it begins\n"
      << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("mean over 23 kinds seen"), HasSubstr("mean over 2 kinds unseen"),
                    HasSubstr("cell SRCC, 125 cells")));
  const auto found = written();
  EXPECT_EQ(found.at("photos"), 2);
  EXPECT_EQ(found.at("copies"), 250);
  EXPECT_EQ(found.at("unseen"), json({"motion_blur", "pixelate"}));
  EXPECT_EQ(found.at("scorers").size(), 1U);
  const auto text = content(json_file());
  const auto csv = (scratch_ / "out.csv").string();
  write_config("alone");
  ASSERT_EQ(measure({"--photos", "2", "--unseen", "motion_blur,pixelate", "--csv", csv}, 0, "alone").status,
            0);
  EXPECT_EQ(content(json_file()), text);
  const auto lines = content(csv);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1 + 3 + 25);
  // Another seed makes other copies.
  ASSERT_EQ(measure({"--photos", "2", "--unseen", "motion_blur,pixelate", "--seed", "8"}).status, 0);
  EXPECT_NE(content(json_file()), text);
}

TEST_F(EvaluateDistortions, BaselinesAreMeasuredOnTheSameCopiesWithTheirSigns) {
  write_config("run", "  again: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "\n");
  const auto outcome = measure({"--photos", "2", "--anchors", "again", "--baselines"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("baselines: 0 of 252"), HasSubstr("25 kinds"),
                    HasSubstr("JPEG of quality 75 (libvips)"), HasSubstr("variance of the Laplacian")));
  const auto scorers = written().at("scorers");
  ASSERT_EQ(scorers.size(), 4U);
  auto again = scorers.at("again");
  EXPECT_EQ(again, scorers.at("quality"));
  const auto within = [&](const char* scorer, const char* kind) {
    return scorers.at(scorer).at("kinds").at(kind).at("srcc_within_photo").get<double>();
  };
  // The more a photo is blurred, the less is left of both.
  EXPECT_DOUBLE_EQ(within("laplacian_variance", "gaussian_blur"), 1);
  EXPECT_DOUBLE_EQ(within("jpeg_bytes", "gaussian_blur"), 1);
  // The noisier, the more.
  EXPECT_LT(within("laplacian_variance", "white_noise"), 0);
  EXPECT_DOUBLE_EQ(within("jpeg_bytes", "white_noise"), -1);
}

TEST_F(EvaluateDistortions, AnotherEncoderGetsTheSameTableAndTakesTheBaselinesOver) {
  const auto weights = shared_data() / "data" / "encoders" / "squeezenet_v1.0_imagenet.ts.pt";
  QUASAR_REQUIRE_DATA(weights);
  const auto good =
      render_scenes(scratch_ / "good", {"--count", "2", "--width", "72", "--height", "64", "--seed", "50"});
  ASSERT_EQ(good.status, 0) << good.output;
  const std::string shared = "embeddings: " + (scratch_ / "shared").string() + "\n";
  write_config("run", shared);
  ASSERT_EQ(measure({"--photos", "2", "--baselines"}).status, 0);
  const auto of_mini = written().at("scorers");
  write_text(config("squeezenet"),
             "run: " + run("squeezenet").string() + "\ncorpus: {directory: nowhere}\n" + shared +
                 "encoder:\n  architecture: torchscript\n  weights: " + weights.string() +
                 "\n  input: {resize: shorter_side, size: 224, mean: [0, 0, 0], std: [1, 1, 1]}\n"
                 "anchors:\n  built:\n    corpus: {directory: " +
                 (scratch_ / "good").string() +
                 "}\n    distortions: {kinds: [jpeg, gaussian_blur], levels: [4]}\n    recipe: {kind: "
                 "full_reference}\n");
  const auto outcome = measure({"--photos", "2", "--baselines"}, 2, "squeezenet");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("252 to go through torchscript"), HasSubstr("252 of other runs; 0 to go"),
                    HasSubstr("anchors built: built first")));
  const auto found = written().at("scorers");
  EXPECT_TRUE(found.at("built").at("cell_srcc").is_number());
  for (const char* scorer : {"jpeg_bytes", "laplacian_variance"})
    EXPECT_EQ(found.at(scorer), of_mini.at(scorer));
}

TEST_F(EvaluateDistortions, GoesOnAfterItWasKilled) {
  write_config("calm");
  ASSERT_EQ(measure({"--baselines"}, 0, "calm").status, 0);
  const auto calm = content(json_file());
  fs::remove(json_file());
  {
    Program killed(words({"--baselines"}), 2);
    const auto written_shard = [&] {
      if (!has_begun()) return false;
      for (const auto& entry : fs::recursive_directory_iterator(run() / "data")) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("shard-") && name.ends_with(".h5")) return true;
      }
      return false;
    };
    while (killed.running() && !written_shard()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(killed.running()) << killed.wait().output;
    for (const pid_t rank : ranks_of(config())) kill(rank, SIGKILL);
    EXPECT_NE(killed.wait().status, 0);
  }
  EXPECT_FALSE(fs::exists(json_file()));
  const auto rest = measure({"--baselines"}, 2);
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_THAT(rest.output, Not(HasSubstr("distortions: 0 of 378")));
  EXPECT_EQ(content(json_file()), calm);
  const auto done = measure({"--baselines"});
  EXPECT_THAT(done.output, AllOf(HasSubstr("distortions: 378 of 378 pictures are there already; 0 to go"),
                                 HasSubstr("baselines: 378 of 378 pictures are there already; 0 to go")));
  EXPECT_EQ(content(json_file()), calm);
}

TEST_F(EvaluateDistortions, TakesOverWhatTheFormerCommandHasEmbedded) {
  ASSERT_EQ(measure({}).status, 0);
  const auto before = content(json_file());
  const auto address = fs::directory_iterator(run() / "data")->path();
  fs::rename(address, run() / "agreement");
  const auto outcome = measure({"--baselines"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("agreement is now " + address.string()),
                                    HasSubstr("distortions: 378 of 378 pictures are there already"),
                                    HasSubstr("baselines: 0 of 378")));
  EXPECT_EQ(written().at("scorers").at("quality"), json::parse(before).at("scorers").at("quality"));
}

TEST_F(EvaluateDistortions, ABrokenPhotoIsLeftOutWithItsCopiesAndCounted) {
  auto bytes = content(fs::directory_iterator(photos())->path());
  write_text(photos() / "a-broken.png", bytes.substr(0, bytes.size() / 2));
  const auto outcome = measure({"--baselines"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("left out with their copies: 1 photo or copy is decode_failed"),
                                    HasSubstr("a-broken.png")));
  EXPECT_EQ(written().at("photos"), 3);
  EXPECT_EQ(written().at("left_out").at("photo or copy is decode_failed"), 1);
  fs::remove_all(photos());
  fs::create_directory(photos());
  write_text(photos() / "a-broken.png", bytes.substr(0, bytes.size() / 2));
  const auto none = measure({});
  EXPECT_EQ(none.status, 8) << none.output;
  EXPECT_THAT(none.output, HasSubstr("not one photo could be measured"));
}

}  // namespace
