#include "pipeline/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "preset_text.h"
#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

namespace fs = std::filesystem;

/// A folder with what the reference preset names, and the working directory while a test runs.
class PresetTest : public testing::Test {
 protected:
  void SetUp() override {
    before_ = fs::current_path();
    fs::current_path(scratch_.path());
    fs::create_directories("anchors");
    std::ofstream("anchors/mini-quality.h5") << "stand-in";
  }
  void TearDown() override { fs::current_path(before_); }

  static RunConfig load(const std::string& text) {
    std::ofstream("preset.yaml") << text;
    return load_run_config("preset.yaml", {}, corpus::SourcePresence::kAny);
  }

  test::ScratchFolder scratch_;
  fs::path before_;
};

TEST_F(PresetTest, CommentedKeysOfTheReferenceStateTheDefaults) {
  const auto text = test::preset_text("folder.yaml");
  const auto plain = load(text);
  const auto shown = load(test::uncommented(text));
  EXPECT_EQ(plain.identity, shown.identity);
  EXPECT_EQ(plain.corpus.shard_size, shown.corpus.shard_size);
  EXPECT_EQ(plain.decode.timeout_s, shown.decode.timeout_s);
  EXPECT_EQ(plain.embed.decode_threads, shown.embed.decode_threads);
  EXPECT_EQ(plain.embed.batches_in_flight, shown.embed.batches_in_flight);
  EXPECT_EQ(plain.curation.memory, shown.curation.memory);
}

TEST_F(PresetTest, SourcesMayBeGoneOnlyWhereThatIsSaid) {
  const std::string text = "run: r\ncorpus: {directory: gone}\n";
  std::ofstream("preset.yaml") << text;
  EXPECT_NO_THROW(load_run_config("preset.yaml", {}, corpus::SourcePresence::kAny));
  try {
    load_run_config("preset.yaml", {});
    FAIL() << "a missing folder was taken";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), testing::HasSubstr("preset.yaml:2:"));
    EXPECT_THAT(error.what(), testing::HasSubstr("corpus.directory"));
  }
}

/// What a configuration with these overrides is refused with.
std::string refusal(const std::vector<std::string>& overrides, AnchorNeed need = AnchorNeed::kSome) {
  std::ofstream("preset.yaml")
      << "run: r\ncorpus: {directory: gone}\nanchors: {quality: anchors/mini-quality.h5}\n";
  try {
    load_run_config("preset.yaml", overrides, corpus::SourcePresence::kAny, need);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig) << error.what();
    return error.what();
  }
  return "no error";
}

TEST_F(PresetTest, AnchorSetsHaveNamesThatCanBeColumnsAndFiles) {
  for (const char* name : {"status", "a/b", ".", "\"\"", "\"x\\ny\"", "../../evil", "combined"}) {
    const std::string text = std::string("anchors={") + name + ": anchors/mini-quality.h5}";
    EXPECT_THAT(refusal({text}),
                testing::AllOf(testing::HasSubstr("--set "), testing::HasSubstr(": anchors: ")))
        << text;
  }
  EXPECT_EQ(refusal({"anchors={\u54c1\u8d28: anchors/mini-quality.h5}"}), "no error");
  std::ofstream("named.yaml")
      << "run: r\ncorpus: {directory: gone}\nanchors:\n  a/b: anchors/mini-quality.h5\n";
  try {
    load_run_config("named.yaml", {}, corpus::SourcePresence::kAny);
    FAIL() << "a name with a slash was taken";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("named.yaml:4:3: anchors: an anchor set cannot be named 'a/b'"));
  }
}

TEST_F(PresetTest, AnchorsAreAskedForOnlyWhereTheyAreNeeded) {
  EXPECT_THAT(refusal({"anchors={}"}), testing::HasSubstr("no anchor set is configured"));
  EXPECT_EQ(refusal({"anchors={}"}, AnchorNeed::kNone), "no error");
}

TEST_F(PresetTest, DistortionsThatThereAreNotAreRefusedWithThoseThatThereAre) {
  const auto refusal_of = [&](const std::string& kind) {
    return refusal({"anchors={quality: {corpus: {directory: .}, distortions: {kinds: [" + kind + "]}}}"});
  };
  EXPECT_THAT(refusal_of("jpg"), testing::HasSubstr("there is no distortion \"jpg\"; did you mean \"jpeg\"? "
                                                    "There are: gaussian_blur, lens_blur, "));
  EXPECT_THAT(refusal_of("zebra-stripes"),
              testing::HasSubstr("there is no distortion \"zebra-stripes\". There are: gaussian_blur, "));
}

TEST_F(PresetTest, CurationNamesOnlyConfiguredAnchorSets) {
  EXPECT_THAT(refusal({"curation.rank_by=qualty"}), testing::HasSubstr("did you mean 'quality'?"));
  EXPECT_THAT(refusal({"curation.minimum={qualty: 0.2}"}), testing::HasSubstr("curation.minimum.qualty"));
}

}  // namespace
}  // namespace quasar::pipeline
