// Run directories of every version of the schemas go on, and give the manifests that they gave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

TEST(VersionsTest, AFinishedRunOfAnyVersionIsScoredAndRankedAsItWas) {
  for (const std::string version : {"1", "2", "3"}) {
    const ScratchFolder scratch;
    const auto stored = test_file("store/versions/run-" + version);
    fs::copy(stored, scratch / "run", fs::copy_options::recursive);
    for (const char* file : {"manifest.csv", "manifest.jsonl", "summary.json"})
      fs::remove(scratch / "run" / file);
    const std::vector<std::string> rest = {
        test_file("store/versions/config.yaml").string(), "--set", "run=" + (scratch / "run").string(),
        "--set", "anchors={shipped: " + (source_dir() / "anchors" / "mini-quality.h5").string() + "}"};
    const auto with = [&](const std::string& command) {
      std::vector<std::string> words = {command};
      words.insert(words.end(), rest.begin(), rest.end());
      return words;
    };
    const auto status = run_quasar({"status", (scratch / "run").string()});
    EXPECT_THAT(status.output, HasSubstr("2 of 2 finished"));
    const auto scored = run_quasar(with("score"));
    ASSERT_EQ(scored.status, 0) << scored.output;
    const auto ranked = run_quasar(with("rank"), 2);
    ASSERT_EQ(ranked.status, 0) << ranked.output;
    for (const char* file : {"manifest.csv", "manifest.jsonl"}) {
      EXPECT_EQ(without_later_columns(content(scratch / "run" / file)), content(stored / file))
          << version << ", " << file;
    }
  }
}

}  // namespace
