// Ranks that stop, die or fail alone, in every phase of a run: the job ends by name, and the same command
// continues.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/sanitized.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class WatchTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome =
        render_scenes(scratch_ / "pictures", {"--count", "12", "--width", "72", "--height", "64"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const auto pictures = (scratch_ / "pictures").string();
    write_text(config(), "run: " + run().string() + "\ncorpus: {directory: " + pictures +
                             ", shard_size: 3}\nencoder: {batch_size: 3}\nembed: {stall_timeout: 3}\n"
                             "anchors:\n  quality:\n    corpus: {directory: " +
                             pictures +
                             "}\n    distortions: {kinds: [jpeg], levels: [4]}\n"
                             "    recipe: {aggregation: clustering, k: 2}\n");
  }
  std::string config() const { return (scratch_ / "config.yaml").string(); }
  fs::path run() const { return scratch_ / "run"; }
  static std::string host() {
    std::array<char, 64> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
  }

  ScratchFolder scratch_;
};

TEST_F(WatchTest, ARankThatStandsStillIsNamedWithItsHostAndPhaseWhereverThatIs) {
  const std::vector<std::pair<std::string, int>> halts = {
      {"plan", 1},    {"encoder", 0}, {"check embed", 1}, {"embed", 0}, {"count embed", 1}, {"anchors", 0},
      {"k-means", 1}, {"score", 0},   {"rank", 1},        {"end", 0},   {"end", 1}};
  for (const auto& [phase, rank] : halts) {
    fs::remove_all(run());
    const auto stop = phase + ":" + std::to_string(rank) + ":halt";
    const auto outcome = run_quasar({"run", config()}, 2, {"QUASAR_TEST_STOP=" + stop});
    EXPECT_EQ(outcome.status, 10) << stop << "\n" << outcome.output;
    EXPECT_THAT(outcome.output,
                AllOf(HasSubstr("rank " + std::to_string(rank) + " on " + host()), HasSubstr("phase \"")))
        << stop;
    // Of a rank that is not the first the watch tells its own last phase; the first one's is the others'
    // guess.
    if (rank != 0) {
      EXPECT_THAT(outcome.output, HasSubstr("phase \"" + phase + "\"")) << stop;
    }
    for (const pid_t left : ranks_of(config())) ::kill(left, SIGKILL);
  }
  const auto rest = run_quasar({"run", config()}, 2);
  EXPECT_EQ(rest.status, 0) << rest.output;
}

TEST_F(WatchTest, ARankThatAloneCannotReadAFileEndsTheJobWithItsError) {
#ifdef QUASAR_SANITIZED
  GTEST_SKIP() << "the sanitizer must be loaded first";
#endif
  const auto shard = run() / "embeddings" / "shard-000001.h5";
  const std::vector<std::string> environment = {"LD_PRELOAD=" QUASAR_SHIM_FAULTY,
                                                "FAULT_PATH=run/embeddings/shard-000001.h5",
                                                "FAULT_AFTER=" + shard.string()};
  for (const int ranks : {2, 3}) {
    fs::remove_all(run());
    const auto outcome = run_quasar({"run", config(), "--set", "embed.stall_timeout=60"}, ranks, environment);
    EXPECT_EQ(outcome.status, 4) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("shard-000001.h5"), HasSubstr("Input/output error")));
    const auto rest = run_quasar({"run", config()}, ranks);
    EXPECT_EQ(rest.status, 0) << rest.output;
  }
}

TEST_F(WatchTest, TheExitStatusIsSaidInAFileThatLaunchersCannotChange) {
  const auto result = (scratch_ / "result").string();
  const std::vector<std::string> environment = {"QUASAR_RESULT=" + result};
  ASSERT_EQ(run_quasar({"run", config()}, 2, environment).status, 0);
  EXPECT_EQ(content(result), "0\n");
  run_quasar({"run", config(), "--set", "encoder.nonsense=1"}, 2, environment);
  EXPECT_EQ(content(result), "3\n");
  run_quasar({"nonsense"}, 2, environment);
  EXPECT_EQ(content(result), "2\n");
  fs::remove_all(run());
  run_quasar({"run", config()}, 2, {"QUASAR_RESULT=" + result, "QUASAR_TEST_STOP=embed:1:halt"});
  EXPECT_EQ(content(result), "10\n");
  for (const pid_t left : ranks_of(config())) ::kill(left, SIGKILL);
}

}  // namespace
