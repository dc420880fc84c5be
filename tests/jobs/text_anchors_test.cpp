// Prompts as anchors, from a whole CLIP checkpoint to the manifest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "store/anchor_file.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

fs::path golden(const std::string& name) {
  return test_file("golden/encoders") / name;
}

/// Writes tensors, given as raw bytes, as safetensors.
class Checkpoint {
 public:
  void add(const std::string& name, const std::string& type, const std::vector<std::int64_t>& shape,
           const std::string& bytes) {
    header_[name] = {
        {"dtype", type}, {"shape", shape}, {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
  }
  void write(const fs::path& path) const {
    std::string header = header_.dump();
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = header.size();
    write_text(path, std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data_);
  }

 private:
  nlohmann::json header_ = nlohmann::json::object();
  std::string data_;
};

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A tiny CLIP: the image tower of one golden case, its projection cut to the vectors of the text tower of
/// another, which has the real vocabulary.
void write_tiny_clip(const fs::path& path, bool with_text) {
  constexpr std::size_t kText = 8;
  const fs::path visual = golden("openclip_vit_tiny_d_224_head20") / "weights.safetensors";
  const fs::path text = golden("clip_text_tiny") / "weights.safetensors";
  Checkpoint checkpoint;
  const SafetensorsReader images(visual);
  for (const auto& name : images.names()) {
    if (!name.starts_with("visual.")) continue;
    auto values = images.values<float>(name);
    auto shape = images.shape(name);
    if (name == "visual.proj") {
      std::vector<float> cut;
      const auto columns = static_cast<std::size_t>(shape[1]);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i % columns < kText) cut.push_back(values[i]);
      }
      values = cut;
      shape[1] = kText;
    }
    checkpoint.add(name, "F32", shape, raw(values));
  }
  if (with_text) {
    const SafetensorsReader texts(text);
    for (const auto& name : texts.names()) {
      const bool half = name == "token_embedding.weight";
      checkpoint.add(name, half ? "F16" : "F32", texts.shape(name),
                     half ? raw(texts.values<std::uint16_t>(name)) : raw(texts.values<float>(name)));
    }
  }
  checkpoint.write(path);
}

class TextAnchorsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    write_tiny_clip(*scratch_ / "clip.safetensors", true);
    write_tiny_clip(*scratch_ / "images-only.safetensors", false);
    const auto outcome = run_quasar(
        {"scenes", (*scratch_ / "pictures").string(), "--count", "5", "--width", "230", "--height", "224"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  static void TearDownTestSuite() {
    delete scratch_;
    scratch_ = nullptr;
  }

  static std::string config(const std::string& name, const std::string& anchors,
                            const std::string& encoder = tiny("clip.safetensors") + vocabulary()) {
    auto path = (*scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() +
                         "\ncorpus: {directory: " + (*scratch_ / "pictures").string() + "}\nencoder: {" +
                         encoder + "}\nanchors:\n" + anchors + "\n");
    return path;
  }
  static std::string tiny(const std::string& weights) {
    return "architecture: vit-any, heads: {trunk: 2, text: 2}, weights: " + (*scratch_ / weights).string();
  }
  static std::string vocabulary() {
    return ", vocabulary: " + (golden("vocab") / "bpe_simple_vocab_16e6.txt.gz").string();
  }
  static fs::path run(const std::string& name) { return *scratch_ / ("run-" + name); }
  static void expect_refused(const std::string& path, int status, const std::vector<std::string>& words) {
    const auto outcome = run_quasar({"run", path});
    EXPECT_EQ(outcome.status, status) << outcome.output;
    for (const auto& word : words) EXPECT_THAT(outcome.output, HasSubstr(word));
  }

  static ScratchFolder* scratch_;
};

ScratchFolder* TextAnchorsTest::scratch_ = nullptr;

constexpr const char* kPaper = R"(  text: {good: ["Good photo."], bad: ["Bad photo."]})";

TEST_F(TextAnchorsTest, TheClipIqaBaselineScoresEveryPicture) {
  const auto outcome = run_quasar({"run", config("paper", kPaper)}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto summary = nlohmann::json::parse(content(run("paper") / "summary.json"));
  EXPECT_EQ(summary["scored"], 5);
  EXPECT_THAT(content(run("paper") / "manifest.csv"), HasSubstr("text"));

  const auto set = quasar::store::read_anchor_file(run("paper") / "anchors" / "text.h5");
  EXPECT_EQ(set.pairs(), 1U);
  EXPECT_EQ(set.encoder.architecture, "vit-any, heads 2");
  EXPECT_THAT(set.recipe, testing::AllOf(HasSubstr("Good photo."), HasSubstr("Bad photo.")));
  const auto expected =
      SafetensorsReader(golden("clip_text_tiny") / "io.safetensors").values<float>("anchors_gelu");
  std::vector<float> found = set.good;
  found.insert(found.end(), set.bad.begin(), set.bad.end());
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t side = 0; side < 2; ++side) {
    double norm = 0;
    for (std::size_t i = 0; i < 8; ++i) norm += std::pow(found[side * 8 + i], 2);
    for (std::size_t i = 0; i < 8; ++i)
      EXPECT_NEAR(found[side * 8 + i] / std::sqrt(norm), expected[side * 8 + i], 2e-5) << side << " " << i;
  }
}

TEST_F(TextAnchorsTest, SeveralPairsAreAveraged) {
  const auto scores_of = [](const std::string& name) {
    std::map<std::string, double> scores;
    std::istringstream lines(content(run(name) / "manifest.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      scores[row["id"]] = row["text"];
    }
    return scores;
  };
  ASSERT_EQ(run_quasar({"run", config("one", kPaper)}).status, 0);
  ASSERT_EQ(
      run_quasar({"run", config("two", R"(  text: {good: [Sharp image.], bad: [Blurry image.]})")}).status,
      0);
  const auto both = run_quasar({"run", config("both", R"(  text: {good: [Good photo., Sharp image.], )"
                                                      R"(bad: [Bad photo., Blurry image.]})")});
  ASSERT_EQ(both.status, 0) << both.output;
  const auto one = scores_of("one");
  const auto two = scores_of("two");
  for (const auto& [id, score] : scores_of("both")) {
    EXPECT_NEAR(score, (one.at(id) + two.at(id)) / 2, 1e-6) << id;
    EXPECT_NE(one.at(id), two.at(id));
  }
}

TEST_F(TextAnchorsTest, TheFileServesOtherRunsOfTheEncoder) {
  ASSERT_EQ(run_quasar({"anchors", config("build", kPaper)}).status, 0);
  const auto file = (run("build") / "anchors" / "text.h5").string();
  const auto outcome = run_quasar({"run", config("reuse", "  text: " + file, tiny("clip.safetensors"))});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_refused(config("other", "  text: " + file, "architecture: mini"), 6, {"another encoder"});
}

TEST_F(TextAnchorsTest, EncodersWithoutATextTowerAreRefusedBeforeAnyWork) {
  expect_refused(config("mini", kPaper, "architecture: mini"), 3, {"anchors.text", "mini has no text tower"});
  const std::string dino = "architecture: dinov2-any, heads: {trunk: 3}, weights: " +
                           (golden("dinov2_vit_tiny_c_swiglu") / "weights.safetensors").string();
  expect_refused(config("dino", kPaper, dino + vocabulary()), 3, {"dinov2-any has no text tower"});
  EXPECT_FALSE(fs::exists(run("dino")));
}

TEST_F(TextAnchorsTest, WeightsWithTheImageTowerAloneAreRefused) {
  expect_refused(config("half", kPaper, tiny("images-only.safetensors") + vocabulary()), 4,
                 {"images-only.safetensors", "the checkpoint has no text tower"});
}

TEST_F(TextAnchorsTest, IncompleteConfigurationsSayWhatIsMissing) {
  expect_refused(config("vocabulary", kPaper, tiny("clip.safetensors")), 3, {"encoder.vocabulary"});
  expect_refused(config("nothing", kPaper, tiny("clip.safetensors") + ", vocabulary: none.gz"), 3,
                 {"encoder.vocabulary", "none.gz"});
  expect_refused(config("pairs", "  text: {good: [a, b], bad: [c]}"), 3, {"pairs", "2 prompts", "1"});
  expect_refused(config("side", "  text: {good: [a]}"), 3, {"pairs"});
  expect_refused(config("empty", R"(  text: {good: [""], bad: [c]})"), 3, {"empty"});
  expect_refused(config("mixed", "  text: {good: [a], bad: [c], corpus: {directory: .}}"), 3,
                 {"give one of"});
  expect_refused(config("heads", kPaper,
                        "architecture: vit-l-14, heads: {trunk: 2}, weights: " +
                            (*scratch_ / "clip.safetensors").string()),
                 3, {"encoder.heads", "vit-l-14"});
}

}  // namespace
