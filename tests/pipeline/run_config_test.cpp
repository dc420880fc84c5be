#include "pipeline/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

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

/// The preset with its commented keys ("  # key: value") switched on.
std::string uncommented(const std::string& text) {
  std::string result;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    result +=
        std::regex_replace(text.substr(start, end - start), std::regex("^( +)# ([a-z_]+: )"), "$1$2") + "\n";
    start = end + 1;
  }
  return result;
}

TEST_F(PresetTest, CommentedKeysOfTheReferenceStateTheDefaults) {
  const auto text = content(test::source_dir() / "configs" / "folder.yaml");
  const auto plain = load(text);
  const auto shown = load(uncommented(text));
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

}  // namespace
}  // namespace quasar::pipeline
